import type { Context } from 'hono'
import type { Hmac, Instant, Log } from '../kernel/index.ts'
import type { Database } from '../db/index.ts'
import type { Providers } from '../identity/index.ts'

export interface SignInNeeds {
  /** A small one of its own: strangers who sign in must not hold up whoever administers. */
  readonly database: Database
  readonly hmac: Hmac
  /** What signs cookies. */
  readonly cookieKey: Uint8Array
  readonly providers: Providers
  readonly log: Log
  /** Whether cookies are sent over TLS only. */
  readonly isSecure: boolean
  /** Of admin tokens. */
  pepper(version: number): Uint8Array | undefined
  randomBytes(length: number): Uint8Array
  /** Where providers send people back to; undefined: nobody can be sent to one. */
  adminUrl(): string | undefined
  now(): Instant
  /** Who is at the other end of the connection, to bound guessing. */
  addressOf(c: Context): string
}
