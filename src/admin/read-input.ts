import type { Context } from 'hono'
import type { z } from 'zod'
import { err, ok, type Json, type Result } from '../kernel/index.ts'
import type { AnyOperation } from './operation.ts'
import type { AdminRefusal } from './refusal.ts'

/** A tree of declarations is the longest that anybody sends. */
export const bodyBytesMax = 4 * 1024 * 1024
const errorsMax = 20

export interface Input {
  readonly params: unknown
  readonly query: unknown
  readonly body: unknown
  /** Entity tags, as sent. */
  readonly ifMatch: readonly string[] | undefined
  readonly idempotencyKey: string | undefined
  /** What was asked, for telling it from something else under the same key. */
  readonly asked: Json
}

/** Reads a request strictly: what the operation does not know is refused, with its place. */
export async function readInput(c: Context, operation: AnyOperation): Promise<Result<Input, readonly AdminRefusal[]>> {
  const params = operation.params.safeParse(c.req.param())
  const query = operation.query.safeParse(c.req.query())
  const sent = operation.body === undefined ? ok(undefined) : await readJson(c)
  if (!sent.ok) return sent
  const body = operation.body?.safeParse(sent.value) ?? { success: true as const, data: undefined }
  const wrong = [
    ...(params.success ? [] : explain(params.error, 'the path')),
    ...(query.success ? [] : explain(query.error, 'the query')),
    ...(body.success ? [] : explain(body.error, undefined)),
    ...headerRefusals(c, operation),
  ]
  if (wrong.length > 0 || !params.success || !query.success || !body.success) return err(wrong.slice(0, errorsMax))
  const asked = { method: operation.method, path: c.req.path, body: (sent.value ?? null) as Json }
  return ok({
    params: params.data,
    query: query.data,
    body: body.data,
    ifMatch: operation.guard === 'none' ? undefined : tagsIn(c.req.header('if-match')),
    idempotencyKey: operation.creates ? c.req.header('idempotency-key') : undefined,
    asked,
  })
}

/** RFC 9110, section 13.1.1. `*` is for whoever does not care, and is the same as not sending it. */
const tagsIn = (header: string | undefined): readonly string[] | undefined =>
  header === undefined || header.trim() === '*' ? undefined : header.split(',').map((tag) => tag.trim())

function headerRefusals(c: Context, operation: AnyOperation): readonly AdminRefusal[] {
  const refusals: AdminRefusal[] = []
  const key = c.req.header('idempotency-key')
  if (operation.creates && (key === undefined || key.trim() === '' || key.length > 200))
    refusals.push({
      status: 400,
      reason: 'idempotency_key_missing',
      message: 'This makes something new and needs an Idempotency-Key of 1 to 200 characters.',
      advice: 'Send a UUID of your own, and the same one when you send the same request again.',
    })
  if (operation.guard === 'required' && c.req.header('if-match') === undefined)
    refusals.push({
      status: 428,
      reason: 'if_match_missing',
      message: 'This changes something that others may have changed meanwhile.',
      advice: 'Read it, and send its ETag as If-Match.',
    })
  return refusals
}

async function readJson(c: Context): Promise<Result<unknown, readonly AdminRefusal[]>> {
  const type = c.req.header('content-type') ?? ''
  if (!/^application\/json *(;|$)/i.test(type))
    return err([
      {
        status: 415,
        reason: 'json_expected',
        message: 'The body has to be JSON.',
        advice: 'Send content-type: application/json.',
      },
    ])
  const announced = Number(c.req.header('content-length') ?? 0)
  const tooLarge: AdminRefusal = {
    status: 413,
    reason: 'request_too_large',
    message: `The body is longer than ${bodyBytesMax} bytes.`,
  }
  if (announced > bodyBytesMax) return err([tooLarge])
  const text = await textOf(c)
  if (text === undefined) return err([tooLarge])
  try {
    return ok(JSON.parse(text) as unknown)
  } catch {
    return err([{ status: 400, reason: 'json_broken', message: 'The body is not JSON.' }])
  }
}

/** Undefined: too long. Nothing more is read then. */
async function textOf(c: Context): Promise<string | undefined> {
  const { body } = c.req.raw
  if (body === null) return ''
  const decoder = new TextDecoder()
  let text = ''
  let bytes = 0
  for await (const chunk of body) {
    bytes += chunk.length
    if (bytes > bodyBytesMax) return undefined
    text += decoder.decode(chunk, { stream: true })
  }
  return text + decoder.decode()
}

const explain = (error: z.ZodError, where: string | undefined): readonly AdminRefusal[] =>
  error.issues.map((issue) => {
    const path = issue.path.map((key) => String(key).replaceAll('~', '~0').replaceAll('/', '~1'))
    const place = where ?? (path.length === 0 ? 'the body' : path.join('.'))
    const message =
      issue.code === 'unrecognized_keys'
        ? `${where ?? 'The body'} has ${issue.keys.map((key) => JSON.stringify(key.slice(0, 60))).join(', ')}, which nobody reads here.`
        : `${where === undefined ? place : `${path.join('.')} in ${where}`}: ${issue.message}`
    return {
      status: 400,
      reason: 'invalid_request',
      message,
      ...(where === undefined ? { pointer: path.length === 0 ? '' : `/${path.join('/')}` } : {}),
    }
  })
