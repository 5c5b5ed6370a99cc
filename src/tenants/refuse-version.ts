import type { Instant } from '../kernel/index.ts'
import { stages, type Stage } from '../policy/index.ts'
import { isSameSignOff, objectionsToPromotion, takenAway, wordsForVersion } from '../release/index.ts'
import type { Current } from './change.ts'
import type { Declared } from './declarations.ts'
import type { Problem } from './problem.ts'
import { signOffsOf, tokenLimits, type VersionRow } from './rows.ts'
import type { ModelFile } from './schema.ts'

/** What a version is does not change, what its card says is not unsaid, and it goes up by the rule of `release/`. */
export function refuseVersion(
  current: Current,
  model: Declared<ModelFile>,
  index: number,
  now: Instant,
): readonly Problem[] {
  const version = model.value.versions[index]
  if (version === undefined) return []
  const name = model.value.model
  const before = current.version.find(({ row }) => row.model === name && row.version === version.version)?.row
  return before === undefined
    ? refuseFirstStage(current, model, { index, version }, now)
    : [
        ...refuseRewriting(model, { index, version }, before),
        ...refuseCard(model, { index, version }, before),
        ...refuseStep(current, model, { index, version }, { before, now }),
      ]
}

interface Placed {
  readonly index: number
  readonly version: ModelFile['versions'][number]
}

/**
 * The first apply of all brings in a catalog as it stands: nobody has called anything yet. From then on a new version
 * begins sealed, or its file holds what every step up to its stage needs.
 */
function refuseFirstStage(
  current: Current,
  model: Declared<ModelFile>,
  placed: Placed,
  now: Instant,
): readonly Problem[] {
  if (current.model.length === 0) return []
  const { stage } = placed.version
  const steps = stages.slice(1, stages.indexOf(stage) + 1)
  return firstRefused(steps, (to) =>
    refuseStepTo(current, model, placed, { from: before(to), to, card: undefined, now }),
  )
}

const before = (stage: Stage): Stage => stages[stages.indexOf(stage) - 1] ?? stage

/** The steps after one that is refused would only say the same again. */
const firstRefused = <T>(steps: readonly T[], refuse: (step: T) => readonly Problem[]): readonly Problem[] =>
  steps.map(refuse).find((problems) => problems.length > 0) ?? []

function refuseRewriting(
  { value: model, source }: Declared<ModelFile>,
  { index, version }: Placed,
  kept: VersionRow,
): readonly Problem[] {
  const named = `${model.model} ${version.version}`
  const problems: Problem[] = []
  const limits = tokenLimits(version)
  if (limits.contextTokens !== kept.contextTokens || limits.outputTokens !== kept.outputTokens)
    problems.push(
      source.problem(['versions', index, 'limits'], {
        message: `${named} is there already, with contextTokens ${kept.contextTokens} and outputTokens ${kept.outputTokens}; a version does not change`,
        advice: 'write the limits back, and declare a new version with the new ones',
      }),
    )
  for (const [at, deployment] of version.deployments.entries())
    if (kept.upstream.length > 0 && !kept.upstream.includes(deployment.model))
      problems.push(
        source.problem(['versions', index, 'deployments', at, 'model'], {
          message: `${named} is ${kept.upstream.join(', ')} at its model hosts; a version does not become another model`,
          advice: `write model: ${kept.upstream[0] ?? ''}, or declare a new version`,
        }),
      )
  return problems
}

function refuseCard(
  { value: model, source }: Declared<ModelFile>,
  { index, version }: Placed,
  kept: VersionRow,
): readonly Problem[] {
  if (kept.card === undefined || version.card === undefined || kept.stage === 'sealed') return []
  return takenAway(kept.card, version.card).map((field) =>
    source.problem(['versions', index, 'card', ...field.split('.')], {
      message: `${model.model} ${version.version} is out, and its card said something else under ${field}`,
      advice: 'write it back as it was and go on after it, so that it only says more; or declare a new version',
    }),
  )
}

function refuseStep(
  current: Current,
  model: Declared<ModelFile>,
  placed: Placed,
  { before: kept, now }: { before: VersionRow; now: Instant },
): readonly Problem[] {
  const { stage } = placed.version
  if (kept.recalled !== undefined || stages.indexOf(stage) <= stages.indexOf(kept.stage)) return []
  const next = stages[stages.indexOf(kept.stage) + 1]
  if (stage !== next)
    return [
      model.source.problem(['versions', placed.index, 'stage'], {
        message: `${model.value.model} ${placed.version.version} is at stage ${kept.stage}; promotion goes one step at a time`,
        advice: `write stage: ${next ?? kept.stage}, apply, and go on from there when its ratings allow`,
      }),
    ]
  return refuseStepTo(current, model, placed, { from: kept.stage, to: stage, card: kept.card, now })
}

function refuseStepTo(
  current: Current,
  { value: model, source }: Declared<ModelFile>,
  { index, version }: Placed,
  step: { from: Stage; to: Stage; card: VersionRow['card']; now: Instant },
): readonly Problem[] {
  const { release } = current
  const standing = release.standings.get(`${model.model}@${version.version}`)
  const spent = standing?.spent ?? []
  const declared = signOffsOf(version).filter(
    (signOff) => signOff.at <= step.now && !spent.some((other) => isSameSignOff(other, signOff)),
  )
  const objections = objectionsToPromotion(
    {
      model: model.model,
      version: version.version,
      stage: step.from,
      card: version.card ?? step.card,
      signOffs: [...declared, ...(standing?.signOffs ?? [])],
      pins: release.pins,
      notices: release.notices,
    },
    step.to,
    step.now,
  )
  return objections.map((objection) => {
    const { message, advice } = wordsForVersion(objection)
    return source.problem(['versions', index, 'stage'], {
      message: `${model.model} ${version.version} cannot go to ${step.to}: ${message}`,
      advice,
    })
  })
}
