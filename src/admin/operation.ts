import { z } from '@hono/zod-openapi'
import { Bug, type Hmac, type Log, type Result } from '../kernel/index.ts'
import type { Database, Tx } from '../db/index.ts'
import type { KeyMaking, Role, ShownSession } from '../identity/index.ts'
import type { ClosingNeeds } from '../billing/index.ts'
import type { Deciders } from '../licensing/index.ts'
import type { Declaring } from './declaring.ts'
import type { AdminRefusal } from './refusal.ts'

/** What the operations of the control plane are given. */
export interface ControlNeeds {
  readonly database: Database
  readonly log: Log
  readonly hmac: Hmac
  readonly making: KeyMaking
  readonly declaring: Declaring
  /**
   * For closing months and making them again: what reads a whole month takes longer than anybody may wait for a suspension,
   * and has connections of its own.
   */
  readonly billing: ClosingNeeds
  /** The bootstrap token of the installation. */
  readonly ownerToken: string
  /** What signs the cookies of sessions, and what they are called. */
  readonly cookieKey: Uint8Array
  readonly sessionCookie: string
  /** Where the control plane is for the outside; undefined when nobody has said so. */
  adminUrl(): string | undefined
  pepper(version: number): Uint8Array | undefined
  now(): Deciders['now']
}

/** One request that has come as far as its operation. What it writes, it writes in `tx`, which a refusal rolls back. */
export interface Doing {
  /** Of a tenant's administrator: a transaction of the tenant, which sees nothing of others. */
  readonly tx: Tx
  readonly needs: ControlNeeds
  readonly by: Deciders
  /** Undefined for whoever shows a token. */
  readonly session: ShownSession | undefined
  /** For whoever approves what another operation was asked to do. */
  findOperation(id: string): AnyOperation | undefined
}

export interface Reply {
  readonly status?: 200 | 201
  readonly body: object
  /** Of the object after this. */
  readonly etag?: string | undefined
  /** Members of the body that are shown once and kept nowhere. */
  readonly secrets?: readonly string[]
  /** The body in another form, such as a page, when that was asked for. */
  readonly written?: Written | undefined
}

/** An answer that is no JSON. */
export interface Written {
  readonly headers: Readonly<Record<string, string>>
  readonly text: string
}

export type Done = Result<Reply, readonly AdminRefusal[]>

/** Ends a file before its end. */
export class BrokenDownload extends Error {}

/** A file, written piece by piece while its transaction is open. */
export interface Download {
  readonly type: string
  readonly name: string
  /** Waits for who reads. @throws BrokenDownload, or whatever else breaks the file off, so that nobody takes half of it for the whole. */
  write(to: (piece: Uint8Array) => Promise<void>): Promise<void>
}

export type Opened = Result<Download, readonly AdminRefusal[]>

export interface Operation<Params, Query, Body> {
  /** As in the OpenAPI document; whoever asks for a second person is found again by it. */
  readonly id: string
  readonly method: 'get' | 'post'
  /** Below `/admin/v1`, with its parameters in braces. */
  readonly path: string
  readonly tag: string
  readonly summary: string
  /** Who may. A tenant's roles see their own tenant only. */
  readonly roles: readonly Role[]
  readonly params: z.ZodType<Params>
  readonly query: z.ZodType<Query>
  readonly body: z.ZodType<Body> | undefined
  readonly answer: z.ZodType
  /** Other content types that it may answer in. */
  readonly forms: readonly string[]
  /** Whether it makes something new: then it needs an `Idempotency-Key`. */
  readonly creates: boolean
  /** Whether it needs `If-Match`; a "no" never waits for anybody's latest look, and takes it only when it is given. */
  readonly guard: 'none' | 'optional' | 'required'
  /** The tag of the object as it is, for `If-Match`. */
  etagOf?(doing: Doing, params: Params): Promise<string | undefined>
  run(doing: Doing, input: { params: Params; query: Query; body: Body }): Promise<Done>
  /** Of an operation that answers with a file: instead of `run`, and in a transaction that lasts until it is written. */
  readonly open?: (doing: Doing, input: { params: Params; query: Query }) => Promise<Opened>
}

/** An operation among others: what it takes is known to itself only, and parsed by it. */
export interface AnyOperation extends Omit<Operation<unknown, unknown, unknown>, 'etagOf' | 'run' | 'open'> {
  etagOf?(doing: Doing, params: unknown): Promise<string | undefined>
  run(doing: Doing, input: { params: unknown; query: unknown; body: unknown }): Promise<Done>
  open?(doing: Doing, input: { params: unknown; query: unknown }): Promise<Opened>
}

const Nothing = z.strictObject({})

type Defaults<Params, Query, Body> = Partial<
  Pick<Operation<Params, Query, Body>, 'params' | 'query' | 'body' | 'creates' | 'guard' | 'forms'>
>

/**
 * Says an operation. The parts that are left out: no parameters, no query, no body, makes nothing new, changes nothing
 * that others may have changed meanwhile.
 */
export function defineOperation<Params = Record<string, never>, Query = Record<string, never>, Body = undefined>(
  operation: Omit<Operation<Params, Query, Body>, keyof Defaults<Params, Query, Body>> & Defaults<Params, Query, Body>,
): AnyOperation {
  const whole = {
    params: Nothing,
    query: Nothing,
    body: undefined,
    creates: false,
    guard: 'none' as const,
    forms: [],
    ...operation,
  }
  // Its own schemas have parsed whatever it is given.
  return whole
}

type Downloading<Params, Query> = Required<Pick<Operation<Params, Query, undefined>, 'open'>> &
  Pick<Operation<Params, Query, undefined>, 'id' | 'path' | 'tag' | 'summary' | 'roles' | 'forms' | 'query'> &
  Partial<Pick<Operation<Params, Query, undefined>, 'params'>>

/** Says an operation that answers with a file. */
export function defineDownload<Params = Record<string, never>, Query = Record<string, never>>(
  download: Downloading<Params, Query>,
): AnyOperation {
  return defineOperation<Params, Query>({
    method: 'get',
    answer: z.never(),
    run: () => Promise.reject(new Bug('a download is opened, and not run')),
    ...download,
  })
}
