import { err, ok, type Result } from '../kernel/index.ts'
import { authenticate } from '../identity/index.ts'
import { requireLicense, type Licensed } from '../licensing/index.ts'
import { usableModels, type UsableModel } from '../policy/index.ts'
import type { Asking, Gateway } from './gateway.ts'
import type { Refusal } from './refusal.ts'

/** Authenticates and requires a license in force, for routes that read and do not call a model. */
export async function licensedCaller(gateway: Gateway, asking: Asking): Promise<Result<Licensed, readonly Refusal[]>> {
  const principal = await authenticate(gateway, asking.authorization, asking.now)
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
  readonly protocol: string
  readonly context_tokens: number
  readonly output_tokens: number
  readonly sunset: null
}

/** What this caller may use: the bare name for the pin, `model@version` for the others. Nothing else is shown. */
export async function listModels(
  gateway: Gateway,
  asking: Asking,
): Promise<Result<readonly ListedModel[], readonly Refusal[]>> {
  const licensed = await licensedCaller(gateway, asking)
  return licensed.ok ? ok(listedFor(gateway, licensed.value)) : licensed
}

export async function findListedModel(
  gateway: Gateway,
  asking: Asking,
  name: string,
): Promise<Result<ListedModel, readonly Refusal[]>> {
  const licensed = await licensedCaller(gateway, asking)
  if (!licensed.ok) return licensed
  const found = listedFor(gateway, licensed.value).find(
    (model) => model.id === name || `${model.id}@${model.version}` === name,
  )
  return found === undefined ? err([{ reason: 'model_not_found', model: name.slice(0, 200) }]) : ok(found)
}

export function listedFor(gateway: Gateway, licensed: Licensed): readonly ListedModel[] {
  const owner = gateway.directory.ownerName
  return usableModels(gateway, licensed)
    .toSorted((a, b) => Number(b.pinned) - Number(a.pinned))
    .map((usable) => listed(usable, owner))
}

const listed = ({ model, version, pinned, protocol }: UsableModel, owner: string): ListedModel => ({
  id: pinned ? model : `${model}@${version.version}`,
  object: 'model',
  created: 0,
  owned_by: owner,
  version: version.version,
  stage: version.stage,
  pinned,
  protocol,
  context_tokens: version.contextTokens,
  output_tokens: version.outputTokens,
  sunset: null,
})
