import type { UsageMeter } from '../billing/index.ts'
import { danglingName } from './check-names.ts'
import type { Declared, Tree } from './declarations.ts'
import { quoted, type Problem } from './problem.ts'
import type { ModelFile, PlanFile } from './schema.ts'

/** Prices that stand twice or name no model, and meters of licensed models without a price. */
export function checkPlan({ value: plan, source }: Declared<PlanFile>, tree: Tree): readonly Problem[] {
  const problems: Problem[] = []
  const seen = new Set<string>()
  for (const [index, price] of plan.prices.entries()) {
    const model = modelOf(price)
    if (model !== undefined && !tree.models.has(model))
      problems.push(
        danglingName(source, ['prices', index, 'model'], {
          what: 'model',
          name: model,
          declared: [...tree.models.keys()],
          declareIt: `declare it in models/${model}.yaml`,
        }),
      )
    const key = `${price.meter} ${model ?? ''}`
    if (seen.has(key))
      problems.push(
        source.problem(['prices', index], {
          message: `${price.meter} of ${model ?? 'every model'} has a price already`,
          advice: 'keep one of the two: a call has one price',
        }),
      )
    seen.add(key)
  }
  return [...problems, ...unpriced({ value: plan, source }, tree)]
}

const modelOf = (price: PlanFile['prices'][number]): string | undefined => ('model' in price ? price.model : undefined)

/**
 * A meter without a price would be free by omission. A model that is free says so: amount "0".
 */
function unpriced({ value: plan, source }: Declared<PlanFile>, tree: Tree): readonly Problem[] {
  const licenses = [...tree.licenses.values()].filter((license) => license?.value.plan === plan.plan)
  const licensed = new Map<string, string>()
  for (const license of licenses)
    for (const { model } of license?.value.entitlements ?? [])
      if (!licensed.has(model)) licensed.set(model, license?.value.license ?? '')
  return [...licensed].flatMap(([name, license]) => {
    const model = tree.models.get(name)
    return (model === undefined ? [] : metersOf(model.value))
      .filter(
        (meter) => !plan.prices.some((price) => price.meter === meter && [undefined, name].includes(modelOf(price))),
      )
      .map((meter) =>
        source.keyProblem(['prices'], {
          message: `${meter} of ${quoted(name)}, which ${license} licenses under this plan, has no price`,
          advice: `add { model: ${name}, meter: ${meter}, per: ${meter === 'inferences' ? 1 : 1_000_000}, amount: "…" }; if it is free, say amount: "0"`,
        }),
      )
  })
}

/** What a call of a model counts. A model that only embeds answers no tokens. */
function metersOf(model: ModelFile): readonly UsageMeter[] {
  if (model.protocol === 'open-inference') return ['inferences']
  const answers = model.versions.some((version) => (version.limits?.outputTokens ?? 0) > 0)
  return answers ? ['input_tokens', 'output_tokens'] : ['input_tokens']
}
