import type { Instant } from './instant.ts'
import type { Uuid } from './ids.ts'

/** What differs between Node and Workers, or must be held still in a test. Nothing else is a port. */
export interface Clock {
  /** Wall time: terms, periods, ledger. */
  now(): Instant
  /** Milliseconds that only go forward: durations, deadlines, leases. */
  monotonicMs(): number
}

export interface Random {
  uuid(atMs: number): Uuid
  /** From 0 up to, not including, 1. Spreads load; never a secret. */
  fraction(): number
}

/** HMAC-SHA-256 (RFC 2104), synchronous on both runtimes. */
export interface Hmac {
  sha256(key: Uint8Array, message: string): Uint8Array
  /** Compares in a time that does not depend on where the two differ. */
  equal(a: Uint8Array, b: Uint8Array): boolean
}

/** SHA-256 (FIPS 180-4) of a text that is too long to stand in memory whole. The digest is 64 lower-case hex digits. */
export interface RunningDigest {
  update(text: string): void
  hex(): string
}
export type StartSha256 = () => RunningDigest

/** Structured, content-free lines. Facts are ids, codes, counts and times; `Sensitive` values print as `[sensitive]`. */
export type LogFacts = Readonly<Record<string, string | number | boolean | bigint | undefined | readonly string[]>>
export interface Log {
  info(event: string, facts?: LogFacts): void
  warn(event: string, facts?: LogFacts): void
  error(event: string, facts?: LogFacts & { error?: never }, cause?: unknown): void
}

/** Work that goes on after the answer: `waitUntil` on Workers, a tracked promise that a graceful stop awaits on Node. */
export interface Defer {
  defer(work: Promise<unknown>): void
}
