import { instant, type Instant } from '../kernel/index.ts'

/** A number as people write it, without sign or exponent; undefined when it is none. */
export const readNumber = (text: string): number | undefined =>
  /^\d{1,6}(\.\d{1,9})?$/.test(text) ? Number(text) : undefined

/** A day, which begins in UTC, or a time that says its zone. Without a zone it would mean another time elsewhere. */
export function readInstant(text: string): Instant | undefined {
  if (!/^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2})?(Z|[+-]\d{2}:\d{2}))?$/.test(text)) return undefined
  const ms = Date.parse(text)
  return Number.isNaN(ms) ? undefined : instant(ms)
}
