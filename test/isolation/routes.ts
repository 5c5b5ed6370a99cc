import { models, versions, type ModelPair } from './declared-world.ts'

/** What a route gives, and so who may have it. */
export type RouteKind =
  /** Calls a model. */
  | 'call'
  /** Tells of one predictor, by the same decision as a call. */
  | 'predictor'
  /** Tells of one model, if the caller may use it. */
  | 'model'
  /** Lists the models that the caller may use. */
  | 'models'
  /** The tenant's own license. */
  | 'license'
  /** The tenant's own ledger. */
  | 'usage'
  /** The tenant's own invoices. */
  | 'invoices'
  /** One of them, which nobody of the matrix has. */
  | 'invoice'
  /** Gives tokens, or tells of them, to clients that sign; none of the matrix does. */
  | 'token'
  /** For whoever signs as Stripe does; none of the matrix does. */
  | 'webhook'
  /** For everybody. */
  | 'open'

export interface Asked {
  readonly pair: ModelPair
  /** Absent: the pin. */
  readonly version: string | undefined
  /** Asks for the predictor where one chats, and the reverse. */
  readonly swapped: boolean
  /** Members that the body has as well. */
  readonly members: Readonly<Record<string, unknown>>
}

export interface Route {
  /** As the OpenAPI document names it. */
  readonly name: string
  readonly kind: RouteKind
  request(asked: Asked): { readonly path: string; readonly body?: string | URLSearchParams }
}

const chatModel = ({ pair, version, swapped }: Asked): string => {
  const name = models[pair][swapped ? 'infer' : 'chat']
  return version === undefined ? name : `${name}@${version}`
}
const predictor = ({ pair, swapped }: Asked): string => models[pair][swapped ? 'chat' : 'infer']
const versioned = (asked: Asked): string => `${predictor(asked)}/versions/${asked.version ?? versions.pinned}`
const pinned = (asked: Asked): string =>
  asked.version === undefined ? predictor(asked) : `${predictor(asked)}@${asked.version}`

const chatBody = (asked: Asked): string =>
  JSON.stringify({ model: chatModel(asked), messages: [{ role: 'user', content: 'hello' }], ...asked.members })
const embeddingsBody = (asked: Asked): string =>
  JSON.stringify({ model: chatModel(asked), input: 'hello', ...asked.members })
const inferBody = ({ members }: Asked): string =>
  JSON.stringify({ inputs: [{ name: 'ecg', shape: [1, 1], datatype: 'FP32', data: [0] }], ...members })

/** What a caller with a key might try. */
const tokenForm = () => new URLSearchParams({ scope: 'chat', client_id: 'mercy.ward' })

export const chatRoute: Route = {
  name: 'POST /v1/chat/completions',
  kind: 'call',
  request: (asked) => ({ path: '/v1/chat/completions', body: chatBody(asked) }),
}

/** All of the data plane: the test fails when the OpenAPI document has another. */
export const routes: readonly Route[] = [
  chatRoute,
  {
    name: 'POST /v1/embeddings',
    kind: 'call',
    request: (asked) => ({ path: '/v1/embeddings', body: embeddingsBody(asked) }),
  },
  {
    name: 'POST /v2/models/{model}/infer',
    kind: 'call',
    request: (asked) => ({ path: `/v2/models/${pinned(asked)}/infer`, body: inferBody(asked) }),
  },
  {
    name: 'POST /v2/models/{model}/versions/{version}/infer',
    kind: 'call',
    request: (asked) => ({ path: `/v2/models/${versioned(asked)}/infer`, body: inferBody(asked) }),
  },
  {
    name: 'GET /v2/models/{model}',
    kind: 'predictor',
    request: (asked) => ({ path: `/v2/models/${pinned(asked)}` }),
  },
  {
    name: 'GET /v2/models/{model}/ready',
    kind: 'predictor',
    request: (asked) => ({ path: `/v2/models/${pinned(asked)}/ready` }),
  },
  {
    name: 'GET /v2/models/{model}/versions/{version}',
    kind: 'predictor',
    request: (asked) => ({ path: `/v2/models/${versioned(asked)}` }),
  },
  {
    name: 'GET /v2/models/{model}/versions/{version}/ready',
    kind: 'predictor',
    request: (asked) => ({ path: `/v2/models/${versioned(asked)}/ready` }),
  },
  { name: 'GET /v1/models/{model}', kind: 'model', request: (asked) => ({ path: `/v1/models/${chatModel(asked)}` }) },
  { name: 'GET /v1/models', kind: 'models', request: () => ({ path: '/v1/models' }) },
  { name: 'GET /v1/license', kind: 'license', request: () => ({ path: '/v1/license' }) },
  { name: 'GET /v1/license/document', kind: 'license', request: () => ({ path: '/v1/license/document' }) },
  { name: 'GET /v1/license/revocations', kind: 'license', request: () => ({ path: '/v1/license/revocations' }) },
  { name: 'GET /.well-known/jwks.json', kind: 'open', request: () => ({ path: '/.well-known/jwks.json' }) },
  { name: 'POST /oauth/token', kind: 'token', request: () => ({ path: '/oauth/token', body: tokenForm() }) },
  { name: 'POST /oauth/introspect', kind: 'token', request: () => ({ path: '/oauth/introspect', body: tokenForm() }) },
  { name: 'POST /oauth/revoke', kind: 'token', request: () => ({ path: '/oauth/revoke', body: tokenForm() }) },
  {
    name: 'GET /.well-known/smart-configuration',
    kind: 'open',
    request: () => ({ path: '/.well-known/smart-configuration' }),
  },
  {
    name: 'GET /.well-known/oauth-authorization-server',
    kind: 'open',
    request: () => ({ path: '/.well-known/oauth-authorization-server' }),
  },
  { name: 'GET /v1/invoices', kind: 'invoices', request: () => ({ path: '/v1/invoices' }) },
  { name: 'GET /v1/invoices/{number}', kind: 'invoice', request: () => ({ path: '/v1/invoices/INV-000001' }) },
  { name: 'GET /v1/usage', kind: 'usage', request: () => ({ path: '/v1/usage' }) },
  {
    name: 'POST /webhooks/stripe',
    kind: 'webhook',
    request: () => ({ path: '/webhooks/stripe', body: '{"id":"evt_1","type":"invoice.paid"}' }),
  },
  { name: 'GET /healthz', kind: 'open', request: () => ({ path: '/healthz' }) },
  { name: 'GET /readyz', kind: 'open', request: () => ({ path: '/readyz' }) },
  { name: 'GET /openapi.json', kind: 'open', request: () => ({ path: '/openapi.json' }) },
  { name: 'GET /docs', kind: 'open', request: () => ({ path: '/docs' }) },
]
