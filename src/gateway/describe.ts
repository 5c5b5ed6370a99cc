import type { OpenAPIHono, RouteConfig } from '@hono/zod-openapi'
import { z } from '@hono/zod-openapi'

/**
 * What /openapi.json says. The routes themselves read their requests with the bounded readers of this folder, so that
 * the description here documents and does not validate.
 */
const ErrorBody = z
  .object({
    error: z.object({
      message: z.string(),
      type: z.string(),
      param: z.string().nullable(),
      code: z.string().describe('The first reason.'),
      reasons: z.array(z.string()).describe('Every reason that applies.'),
      request_id: z.string(),
    }),
  })
  .openapi('Error')

const Usage = z.object({ prompt_tokens: z.int(), completion_tokens: z.int().optional(), total_tokens: z.int() })

const ChatRequest = z
  .looseObject({
    model: z.string().describe('`model` or `model@version`; a bare name is your license’s pin.'),
    messages: z.array(z.looseObject({ role: z.string(), content: z.any() })),
    stream: z.boolean().optional(),
    max_tokens: z.int().optional(),
    max_completion_tokens: z.int().optional(),
    n: z.int().optional(),
    store: z.literal(false).optional(),
  })
  .openapi('ChatCompletionRequest')

const ChatAnswer = z
  .looseObject({ id: z.string(), object: z.string(), choices: z.array(z.looseObject({})), usage: Usage.optional() })
  .openapi('ChatCompletion')

const EmbeddingsRequest = z
  .looseObject({ model: z.string(), input: z.union([z.string(), z.array(z.any())]) })
  .openapi('EmbeddingsRequest')
const EmbeddingsAnswer = z
  .looseObject({ object: z.literal('list'), data: z.array(z.looseObject({})), usage: Usage.optional() })
  .openapi('Embeddings')

const Tensor = z.looseObject({ name: z.string(), shape: z.array(z.int()), datatype: z.string(), data: z.any() })
const InferRequest = z.looseObject({ id: z.string().optional(), inputs: z.array(Tensor) }).openapi('InferenceRequest')
const InferAnswer = z.looseObject({ model_name: z.string(), outputs: z.array(Tensor) }).openapi('InferenceAnswer')

const Model = z
  .object({
    id: z.string(),
    object: z.literal('model'),
    created: z.int(),
    owned_by: z.string(),
    version: z.string(),
    stage: z.string(),
    pinned: z.boolean(),
    pin: z.string().describe('The version that the bare name means under your license.'),
    protocol: z.string(),
    context_tokens: z.int(),
    output_tokens: z.int(),
    sunset: z.string().nullable().describe('When your license stops serving this version.'),
  })
  .openapi('Model')
const SourceAttribute = z.object({
  attribute: z.string(),
  citation: z.string().describe('45 CFR 170.315(b)(11)(iv)'),
  means: z.string(),
  value: z.string().nullable().describe('Null: not answered.'),
})
const ShownModel = Model.extend({
  digest: z.string().nullable().describe('SHA-256 of what the version is; it never changes.'),
  card: z
    .object({
      revision: z.int(),
      digest: z.string(),
      intended_use: z.string(),
      out_of_scope_use: z.string(),
      training_data: z.string(),
      evaluation: z.string(),
      known_risks: z.string(),
      maintenance: z.string(),
      decision_support: z.enum(['predictive', 'evidence-based']),
    })
    .nullable(),
  source_attributes: z.array(SourceAttribute),
}).openapi('ModelWithCard')
const Models = z.object({ object: z.literal('list'), data: z.array(Model) }).openapi('Models')

const License = z
  .looseObject({
    license: z.string(),
    tenant: z.string(),
    revision: z.int(),
    decision: z.object({
      outcome: z.enum(['permit', 'deny']),
      code: z.string().nullable(),
      reasons: z.array(z.string()),
      message: z.string().nullable(),
      id: z.string().describe('The id of the request that it was made for.'),
      evaluated_at: z.string(),
    }),
    attestations: z.array(z.object({ kind: z.string(), due: z.string(), overdue: z.boolean() })),
    state: z.string(),
    budgets: z.array(z.looseObject({})),
  })
  .openapi('License')

const UsagePage = z
  .object({
    object: z.literal('list'),
    from: z.string(),
    to: z.string(),
    data: z.array(z.looseObject({ request_id: z.string(), charge: z.string() })),
    has_more: z.boolean(),
    next_after: z.string().nullable(),
  })
  .openapi('UsagePage')

const Invoices = z
  .object({
    object: z.literal('list'),
    data: z.array(
      z.object({
        number: z.string(),
        license: z.string(),
        month: z.string(),
        state: z.enum(['issued', 'taken-back', 'credit-note']),
        total: z.string(),
        currency: z.string(),
        issued_at: z.string(),
        credits: z.string().nullable(),
        credited_by: z.string().nullable(),
      }),
    ),
    has_more: z.boolean(),
    next_after: z.string().nullable(),
  })
  .openapi('Invoices')
const Invoice = z
  .looseObject({
    number: z.string(),
    kind: z.enum(['invoice', 'credit_note']),
    lines: z.array(z.looseObject({ line: z.int(), description: z.string(), amount: z.string() })),
    total: z.string(),
    currency: z.string(),
  })
  .openapi('Invoice')

const ModelMetadata = z
  .looseObject({ name: z.string(), versions: z.array(z.string()), platform: z.string() })
  .openapi('ModelMetadata')
const Ready = z.looseObject({ name: z.string(), ready: z.boolean() }).openapi('ModelReady')
const KeySet = z
  .object({
    keys: z.array(
      z.object({
        kty: z.literal('OKP'),
        crv: z.literal('Ed25519'),
        x: z.string(),
        kid: z.string(),
        use: z.literal('sig'),
        alg: z.literal('EdDSA'),
      }),
    ),
  })
  .openapi('KeySet')
const Health = z.looseObject({ status: z.string() }).openapi('Health')

const json = (schema: z.ZodType, description: string) => ({ description, content: { 'application/json': { schema } } })
const errors = (...statuses: number[]) =>
  Object.fromEntries(statuses.map((status) => [status, json(ErrorBody, errorWords[status] ?? 'Error')]))

const errorWords: Readonly<Record<number, string>> = {
  400: 'The request is wrong.',
  401: 'No valid API key.',
  403: 'Your license, your facility or a policy does not allow it.',
  404: 'There is no such thing, or it is not yours.',
  413: 'The request is too large.',
  429: 'A rate, the concurrency or a budget is used up.',
  502: 'The model host failed.',
  503: 'Not available now; see Retry-After.',
  504: 'The model host did not answer in time.',
}
const calling = errors(400, 401, 403, 404, 413, 429, 502, 503, 504)
const reading = errors(401, 403, 503)

const narrowing = z.object({
  'formulary-facility': z.string().optional().describe('One of the application’s facilities; the first when absent.'),
  'formulary-purpose-of-use': z.string().optional().describe('An HL7 v3 purpose of use; the first when absent.'),
})
const bearer = [{ apiKey: [] }]
const named = z.object({ model: z.string() })
const versioned = z.object({ model: z.string(), version: z.string() })

const body = (schema: z.ZodType) => ({ content: { 'application/json': { schema } }, required: true })
const modelCall = (
  path: string,
  summary: string,
  schemas: { request: z.ZodType; answer: z.ZodType; params?: typeof named | typeof versioned },
): RouteConfig => ({
  method: 'post',
  path,
  summary,
  security: bearer,
  request: {
    headers: narrowing,
    body: body(schemas.request),
    ...(schemas.params === undefined ? {} : { params: schemas.params }),
  },
  responses: { 200: json(schemas.answer, 'The model’s answer.'), ...calling },
})
const read = (path: string, summary: string, answer: z.ZodType, more: Partial<RouteConfig> = {}): RouteConfig => ({
  method: 'get',
  path,
  summary,
  security: bearer,
  responses: { 200: json(answer, summary), ...reading },
  ...more,
})
/** A compact JWS (RFC 7515), type application/jwt. */
const document = (path: string, summary: string): RouteConfig => ({
  method: 'get',
  path,
  summary,
  security: bearer,
  responses: {
    200: { description: summary, content: { 'application/jwt': { schema: z.string() } } },
    ...errors(401, 403, 404, 503),
  },
})
const open = (path: string, summary: string): RouteConfig => ({
  method: 'get',
  path,
  summary,
  responses: { 200: json(Health, summary), ...(path === '/readyz' ? errors(503) : {}) },
})

/** Every route of the data plane, as /openapi.json names it. */
export const dataPlane: readonly RouteConfig[] = [
  modelCall('/v1/chat/completions', 'A chat completion, streamed or not (OpenAI)', {
    request: ChatRequest,
    answer: ChatAnswer,
  }),
  modelCall('/v1/embeddings', 'Embeddings (OpenAI)', { request: EmbeddingsRequest, answer: EmbeddingsAnswer }),
  read('/v1/models', 'The models you may use now', Models),
  read('/v1/models/{model}', 'One model you may use now, with its card and source attributes', ShownModel, {
    request: { params: named },
    responses: { 200: json(ShownModel, 'The model.'), ...errors(401, 403, 404, 503) },
  }),
  read('/v1/license', 'Your license: decision, entitlements, budgets left', License),
  document('/v1/license/document', 'Your license as a signed document, which anybody can check offline'),
  document('/v1/license/revocations', 'Which of your licenses do not hold as their documents say; good for a day'),
  {
    method: 'get',
    path: '/.well-known/jwks.json',
    summary: 'The keys that documents are signed with (RFC 7517)',
    responses: { 200: json(KeySet, 'The published keys, the current one first.') },
  },
  read('/v1/usage', 'Your own ledger, page by page', UsagePage, {
    request: {
      query: z.object({
        from: z.string().optional(),
        to: z.string().optional(),
        limit: z.string().optional(),
        after: z.string().optional(),
      }),
    },
    responses: { 200: json(UsagePage, 'A page of the ledger.'), ...errors(400, 401, 503) },
  }),
  read('/v1/invoices', 'Your own invoices and credit notes, the latest first; takes the scope `invoices`', Invoices, {
    request: { query: z.object({ limit: z.string().optional(), after: z.string().optional() }) },
    responses: { 200: json(Invoices, 'A page of them.'), ...errors(400, 401, 403, 503) },
  }),
  {
    method: 'get',
    path: '/v1/invoices/{number}',
    summary: 'One of your invoices, in the form that Accept asks for; takes the scope `invoices`',
    security: bearer,
    request: { params: z.object({ number: z.string() }) },
    responses: {
      200: {
        description: 'As JSON the text that was issued; as CSV for a spreadsheet; as a page to print.',
        content: {
          'application/json': { schema: Invoice },
          'text/csv': { schema: z.string() },
          'text/html': { schema: z.string() },
        },
      },
      ...errors(401, 403, 404, 503),
    },
  },
  modelCall('/v2/models/{model}/infer', 'An inference by a predictor (Open Inference Protocol V2)', {
    request: InferRequest,
    answer: InferAnswer,
    params: named,
  }),
  modelCall('/v2/models/{model}/versions/{version}/infer', 'An inference by one version of a predictor', {
    request: InferRequest,
    answer: InferAnswer,
    params: versioned,
  }),
  ...(['/v2/models/{model}', '/v2/models/{model}/versions/{version}'] as const).flatMap((path) => {
    const params = path.includes('{version}') ? versioned : named
    const responses = errors(401, 403, 404, 503)
    return [
      read(path, 'What a predictor is', ModelMetadata, {
        request: { params },
        responses: { 200: json(ModelMetadata, 'The model’s metadata.'), ...responses },
      }),
      read(`${path}/ready`, 'Whether a predictor can be called now', Ready, {
        request: { params },
        responses: { 200: json(Ready, 'It is ready.'), ...responses },
      }),
    ]
  }),
  {
    method: 'post',
    path: '/webhooks/stripe',
    summary: 'Events of Stripe’s, signed by it',
    request: {
      headers: z.object({ 'stripe-signature': z.string() }),
      body: body(z.looseObject({ id: z.string(), type: z.string() })),
    },
    responses: {
      200: json(z.object({ received: z.literal(true) }), 'Taken, or nothing that concerns us.'),
      ...errors(400, 404, 413, 503),
    },
  },
  open('/healthz', 'The process is alive'),
  open('/readyz', 'The process can take calls'),
  {
    method: 'get',
    path: '/openapi.json',
    summary: 'This description',
    responses: { 200: { description: 'OpenAPI 3.1' } },
  },
  { method: 'get', path: '/docs', summary: 'The same for people', responses: { 200: { description: 'A page' } } },
]

export function describeDataPlane(app: OpenAPIHono): void {
  app.openAPIRegistry.registerComponent('securitySchemes', 'apiKey', { type: 'http', scheme: 'bearer' })
  for (const route of dataPlane) app.openAPIRegistry.registerPath(route)
}

export const openApiInfo = {
  openapi: '3.1.0',
  info: {
    title: 'Formulary',
    version: '0.1.0',
    description: 'The licensing and multi-tenant gateway for clinical AI models: the data plane.',
    license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
  },
}
