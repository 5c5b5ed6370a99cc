import { err, isoOf, ok, type Instant, type Result } from '../kernel/index.ts'
import { authenticate } from '../identity/index.ts'
import { requireLicense, type Licensed } from '../licensing/index.ts'
import { usableModels, type UsableModel } from '../policy/index.ts'
import { answeredAttributes, type CardRevision } from '../release/index.ts'
import type { Asking, Gateway } from './gateway.ts'
import type { Refusal } from './refusal.ts'

/** Authenticates and requires a license in force, for routes that read and do not call a model. */
export async function licensedCaller(gateway: Gateway, asking: Asking): Promise<Result<Licensed, readonly Refusal[]>> {
  const principal = await authenticate(gateway, asking, asking.now)
  if (!principal.ok) return err([principal.error])
  const licensed = requireLicense(gateway, principal.value, asking.now, { toRead: true })
  if (!licensed.ok) return err(licensed.error.refusals)
  // A list that is empty because of our outage would say that nothing may be used.
  return gateway.directory.hasPolicies ? licensed : err([{ reason: 'policy_unavailable', because: 'none_declared' }])
}

/** A model as OpenAI's SDKs list it, with what matters here beside it. */
export interface ListedModel {
  readonly id: string
  readonly object: 'model'
  readonly created: number
  readonly owned_by: string
  readonly version: string
  readonly stage: string
  readonly pinned: boolean
  /** The version that the bare name means under this license. */
  readonly pin: string
  readonly protocol: string
  readonly context_tokens: number
  readonly output_tokens: number
  /** When this license stops serving the version. */
  readonly sunset: string | null
}

/** One model with what is known of its version. */
export interface ShownModel extends ListedModel {
  readonly digest: string | null
  readonly card: object | null
  readonly source_attributes: readonly object[]
}

/** What this caller may use: the bare name for the pin, `model@version` for the others. Nothing else is shown. */
export async function listModels(
  gateway: Gateway,
  asking: Asking,
): Promise<Result<readonly ListedModel[], readonly Refusal[]>> {
  const licensed = await licensedCaller(gateway, asking)
  return licensed.ok ? ok(listedFor(gateway, licensed.value, asking.now)) : licensed
}

/** The model with its version's card and source attributes; 404 for what this caller may not use, as if it were not there. */
export async function showModel(
  gateway: Gateway,
  asking: Asking,
  name: string,
): Promise<Result<ShownModel, readonly Refusal[]>> {
  const licensed = await licensedCaller(gateway, asking)
  if (!licensed.ok) return licensed
  const found = listedFor(gateway, licensed.value, asking.now).find(
    (model) => model.id === name || `${model.id}@${model.version}` === name,
  )
  if (found === undefined) return err([{ reason: 'model_not_found', model: name.slice(0, 200) }])
  const [model = found.id] = found.id.split('@')
  const version = gateway.catalog().get(model)?.versions.get(found.version)
  return ok({ ...found, digest: version === undefined ? null : `sha256:${version.digest}`, ...cardOf(version?.card) })
}

function cardOf(kept: CardRevision | undefined): Pick<ShownModel, 'card' | 'source_attributes'> {
  if (kept === undefined) return { card: null, source_attributes: [] }
  const { card, revision, digest } = kept
  return {
    card: {
      revision,
      digest: `sha256:${digest}`,
      intended_use: card.intendedUse,
      out_of_scope_use: card.outOfScopeUse,
      training_data: card.trainingData,
      evaluation: card.evaluation,
      known_risks: card.knownRisks,
      maintenance: card.maintenance,
      decision_support: card.decisionSupport,
    },
    source_attributes: answeredAttributes(card),
  }
}

export function listedFor(gateway: Gateway, licensed: Licensed, at: Instant): readonly ListedModel[] {
  const owner = gateway.directory.ownerName
  return usableModels(gateway, licensed, at)
    .toSorted((a, b) => Number(b.pinned) - Number(a.pinned))
    .map((usable) => listed(usable, owner))
}

const listed = ({ model, version, pinned, pin, sunset, protocol }: UsableModel, owner: string): ListedModel => ({
  id: pinned ? model : `${model}@${version.version}`,
  object: 'model',
  created: 0,
  owned_by: owner,
  version: version.version,
  stage: version.stage,
  pinned,
  pin,
  protocol,
  context_tokens: version.contextTokens,
  output_tokens: version.outputTokens,
  sunset: sunset === undefined ? null : isoOf(sunset),
})
