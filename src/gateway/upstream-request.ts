import { requestName } from '../kernel/index.ts'
import type { Deployment, UpstreamRequest } from '../routing/index.ts'
import type { Asking, Gateway } from './gateway.ts'
import type { HeldCall } from './held-call.ts'

/**
 * What goes to the model host: the caller's body with the few values that are ours, and headers of our own making. No
 * header of the caller goes on but its trace context.
 */
export function upstreamRequest(
  gateway: Gateway,
  asking: Asking,
  held: HeldCall,
  to: { deployment: Deployment; attempt: number },
): UpstreamRequest {
  const { deployment, attempt } = to
  const { tenantId } = held.permit.licensed.principal.tenant
  const credential = gateway.credential(deployment)
  return {
    method: 'POST',
    url: deployment.url + pathOf(held, deployment),
    headers: {
      'content-type': 'application/json',
      accept: held.request.streamed ? 'text/event-stream' : 'application/json',
      'user-agent': 'formulary',
      'x-request-id': requestName(asking.requestId),
      'formulary-attempt': String(attempt),
      ...(credential === undefined ? {} : { authorization: `Bearer ${credential}`, 'api-key': credential }),
      ...(asking.traceparent === undefined ? {} : { traceparent: asking.traceparent }),
      ...(asking.tracestate === undefined ? {} : { tracestate: asking.tracestate }),
    },
    body: held.request.bodyFor({
      upstreamModel: deployment.upstreamModel,
      outputTokensMax: held.reservation.outputTokensMax,
      pseudonym: (value) => gateway.pseudonym(tenantId, value),
    }),
  }
}

function pathOf(held: HeldCall, deployment: Deployment): string {
  switch (held.permit.operation) {
    case 'chat':
      return '/chat/completions'
    case 'embeddings':
      return '/embeddings'
    case 'infer':
      return `/v2/models/${encodeURIComponent(deployment.upstreamModel)}/infer`
  }
}
