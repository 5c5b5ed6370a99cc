import { err, ok, type Result } from '../kernel/index.ts'
import { authenticate } from '../identity/index.ts'
import { requireLicense } from '../licensing/index.ts'
import { decide, type Asked } from '../policy/index.ts'
import { everyReason } from './every-reason.ts'
import type { Asking, Gateway } from './gateway.ts'
import type { Refusal } from './refusal.ts'

/**
 * Metadata or readiness of a predictor (Open Inference Protocol V2), from the catalog: the same decision as a call's
 * says whether the caller may see it, and the model host is not asked.
 */
export async function showPredictor(
  gateway: Gateway,
  asking: Asking,
  name: string,
  what: 'metadata' | 'ready',
): Promise<Result<object, readonly Refusal[]>> {
  const principal = await authenticate(gateway, asking, asking.now)
  if (!principal.ok) return err([principal.error])
  const { facility, purpose, now: at } = asking
  const asked: Asked = { model: name, operation: 'infer', facility, purpose, at }
  const licensed = requireLicense(gateway, principal.value, asking.now)
  if (!licensed.ok) return err(everyReason(gateway, principal.value, licensed.error, asked))
  const permit = decide(gateway, licensed.value, asked)
  if (!permit.ok) return err(permit.error)
  const { model, version } = permit.value
  const served = gateway.catalog().get(model.model)?.versions.get(version.version)?.deployments ?? []
  const now = gateway.monotonicMs()
  const ready = served.some((deployment) => !gateway.circuits.isOpen(deployment, now))
  if (what === 'ready') return ready ? ok({ name: model.model, ready }) : err([unavailable])
  const title = gateway.catalog().get(model.model)?.title ?? model.model
  return ok({ name: model.model, title, versions: [version.version], platform: 'formulary', inputs: [], outputs: [] })
}

const unavailable: Refusal = { reason: 'model_host_unavailable', retryAfterSeconds: 5 }
