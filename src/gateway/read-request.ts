import { z } from 'zod'
import { err, ok, type Result } from '../kernel/index.ts'
import type { Operation } from '../identity/index.ts'
import type { Measured } from '../quota/index.ts'
import { membersOf, withMembers } from './json-members.ts'

export type RequestRefusal =
  | { reason: 'request_malformed'; message: string; param: string | undefined }
  | { reason: 'request_too_large'; bytesMax: number }

/** What the gates need of a request, and how the rest goes on as it came. */
export interface ModelRequest {
  /** `model` or `model@version`. */
  readonly model: string
  readonly operation: Operation
  readonly measured: Measured
  readonly streamed: boolean
  /** Whether the caller asked for the extra usage chunk of a stream. */
  readonly wantsUsage: boolean
  /** The body for the model host: the caller's own text with a few values replaced. */
  bodyFor(changes: UpstreamChanges): string
}

export interface UpstreamChanges {
  readonly upstreamModel: string
  /** The clamp, per choice. */
  readonly outputTokensMax: number
  /** One-way, per tenant: the host can tell two users apart, and not who they are. */
  pseudonym(value: string): string
}

/** Of a name that a caller made up, so many characters are repeated to it. */
const nameMax = 64

const count = (max: number) => z.int().min(1).max(max).nullish()

const hiddenName = 'a name in it contains a backslash'

/**
 * V8 may read a name that is written with an escape as another one, which begins with the escape's own text: as `st\u0`
 * where `st\u006fre` stands, once somebody has sent that name (nodejs/node#63785). The gates would not see what the host
 * sees. A name that was misread always contains a backslash; where the gates read, no other name does.
 */
const isPlain = (value: unknown): boolean =>
  typeof value !== 'object' || value === null || !Object.keys(value).some((name) => name.includes('\\'))

const partsOf = (content: unknown): readonly unknown[] => (Array.isArray(content) ? content : [])

const Common = z.looseObject({
  model: z.string().min(1).max(200),
  user: z.string().max(1024).nullish(),
  safety_identifier: z.string().max(1024).nullish(),
})

const Chat = z.looseObject({
  ...Common.shape,
  messages: z
    .array(z.looseObject({ role: z.string(), content: z.unknown() }))
    .min(1)
    .max(10_000)
    .refine(
      (messages) => messages.every((message) => isPlain(message) && partsOf(message.content).every(isPlain)),
      hiddenName,
    ),
  stream: z.boolean().nullish(),
  stream_options: z.looseObject({ include_usage: z.boolean().nullish() }).nullish(),
  max_tokens: count(10_000_000),
  max_completion_tokens: count(10_000_000),
  n: count(128),
  store: z.literal(false, 'must be false or absent: no content is ever kept at the model host').nullish(),
  web_search_options: z.null('must be absent: no content is sent on to a search').optional(),
  prompt_cache_key: z.string().max(1024).nullish(),
  prompt_cache_retention: z.string().max(64).nullish(),
})

const Embeddings = z.looseObject({
  ...Common.shape,
  input: z.union(
    [z.string().min(1), z.array(z.unknown()).min(1).max(2048)],
    'must be a text, an array of texts, or an array of tokens',
  ),
})

const Infer = z.looseObject({
  inputs: z
    .array(
      z.looseObject({
        name: z.string(),
        shape: z.array(z.int().min(0)).max(16),
        datatype: z.string().max(16),
        data: z.unknown(),
      }),
    )
    .min(1)
    .max(1_000),
})

/** Reads a chat completion request (OpenAI API, `POST /v1/chat/completions`). */
export const readChat = (body: string): Result<ModelRequest, RequestRefusal> =>
  read(body, Chat, (request, edit) => {
    const named = [request.max_completion_tokens, request.max_tokens].filter((tokens) => tokens != null)
    const streamed = request.stream === true
    return {
      model: request.model,
      operation: 'chat',
      streamed,
      wantsUsage: request.stream_options?.include_usage === true,
      measured: {
        operation: 'chat',
        bytes: Buffer.byteLength(body),
        beyondText: request.messages.some(({ content }) => partsOf(content).some(isBeyondText)),
        inputs: 1,
        choices: request.n ?? 1,
        outputTokensNamed: named.length === 0 ? undefined : Math.min(...named),
      },
      bodyFor(changes) {
        const clamp = String(changes.outputTokensMax)
        const options = { ...request.stream_options, include_usage: true }
        return edit({
          ...identities(request, changes),
          // Both names when both were used; hosts differ in which of the two they read.
          ...(request.max_completion_tokens == null ? {} : { max_completion_tokens: clamp }),
          ...(request.max_completion_tokens != null && request.max_tokens == null ? {} : { max_tokens: clamp }),
          ...(streamed ? { stream_options: JSON.stringify(options) } : {}),
          // A shared cache key would let one tenant measure what another asked; retention would keep content.
          ...(request.prompt_cache_key == null
            ? {}
            : { prompt_cache_key: JSON.stringify(changes.pseudonym(request.prompt_cache_key)) }),
          ...(request.prompt_cache_retention == null ? {} : { prompt_cache_retention: '"in_memory"' }),
        })
      },
    }
  })

/** Reads an embeddings request (OpenAI API, `POST /v1/embeddings`). */
export const readEmbeddings = (body: string): Result<ModelRequest, RequestRefusal> =>
  read(body, Embeddings, (request, edit) => {
    const { input } = request
    const isBatch = Array.isArray(input) && typeof input[0] !== 'number'
    return {
      model: request.model,
      operation: 'embeddings',
      streamed: false,
      wantsUsage: false,
      measured: {
        operation: 'embeddings',
        bytes: Buffer.byteLength(body),
        beyondText: false,
        inputs: isBatch ? input.length : 1,
        choices: 1,
        outputTokensNamed: undefined,
      },
      bodyFor: (changes) => edit(identities(request, changes)),
    }
  })

/** Reads an inference request (Open Inference Protocol V2). The model is in the path, the body goes on as it came. */
export const readInfer =
  (model: string) =>
  (body: string): Result<ModelRequest, RequestRefusal> =>
    read(body, Infer, () => ({
      model,
      operation: 'infer',
      streamed: false,
      wantsUsage: false,
      measured: {
        operation: 'infer',
        bytes: Buffer.byteLength(body),
        beyondText: false,
        inputs: 1,
        choices: 1,
        outputTokensNamed: undefined,
      },
      bodyFor: () => body,
    }))

function identities(request: z.infer<typeof Common>, changes: UpstreamChanges): Record<string, string> {
  const pseudonymOf = (value: string) => JSON.stringify(changes.pseudonym(value))
  return {
    model: JSON.stringify(changes.upstreamModel),
    ...(request.user == null ? {} : { user: pseudonymOf(request.user) }),
    ...(request.safety_identifier == null ? {} : { safety_identifier: pseudonymOf(request.safety_identifier) }),
  }
}

/** A part whose tokens its bytes do not bound: anything but text. */
const isBeyondText = (part: unknown): boolean =>
  typeof part === 'object' && part !== null && 'type' in part && part.type !== 'text' && part.type !== 'refusal'

function read<Schema extends z.ZodType>(
  body: string,
  schema: Schema,
  build: (request: z.infer<Schema>, edit: (changes: Record<string, string>) => string) => ModelRequest,
): Result<ModelRequest, RequestRefusal> {
  const json = parseJson(body)
  if (!json.ok) return json
  if (!isPlain(json.value)) return err(malformed(`The body cannot be read: ${hiddenName}.`, undefined))
  const parsed = schema.safeParse(json.value)
  if (!parsed.success) return err(whatIsWrong(parsed.error))
  const members = membersOf(body)
  if (members.repeated !== undefined) {
    const name = members.repeated.slice(0, nameMax)
    return err(malformed(`\`${name}\` stands twice; write it once.`, name))
  }
  return ok(build(parsed.data, (changes) => withMembers(body, members, changes)))
}

function parseJson(body: string): Result<unknown, RequestRefusal> {
  try {
    return ok(JSON.parse(body))
  } catch {
    // The parser's own words quote the body.
    return err(malformed('The body is not valid JSON. Send one JSON object, encoded as UTF-8.', undefined))
  }
}

function whatIsWrong(error: z.ZodError): RequestRefusal {
  const [issue] = error.issues
  const param = issue?.path.reduce<string>(
    (path, step) =>
      typeof step === 'number' ? `${path}[${step}]` : path === '' ? String(step) : `${path}.${String(step)}`,
    '',
  )
  if (param === undefined || param === '') return malformed('The body must be one JSON object.', undefined)
  return malformed(`\`${param}\` is missing or wrong: ${issue?.message ?? 'see the documentation'}.`, param)
}

const malformed = (message: string, param: string | undefined): RequestRefusal => ({
  reason: 'request_malformed',
  message,
  param,
})
