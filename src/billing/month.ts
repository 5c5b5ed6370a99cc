import { instant, isoOf, plusMs, type Instant, type Uuid } from '../kernel/index.ts'

/** A billing period: [start, end), a month in UTC. */
export interface Period {
  readonly start: Instant
  readonly end: Instant
}

/** A month of a license of a tenant. */
export interface Month {
  readonly tenantId: Uuid
  readonly license: string
  readonly period: Period
}

const dayMs = 86_400_000

export function monthOf(at: Instant): Period {
  const date = new Date(at)
  const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()]
  return { start: instant(Date.UTC(year, month)), end: instant(Date.UTC(year, month + 1)) }
}

export const monthAfter = ({ end }: Period): Period => monthOf(end)
export const monthBefore = ({ start }: Period): Period => monthOf(plusMs(start, -1))

/** The month that "2026-10" names. */
export function parseMonth(text: string): Period | undefined {
  const match = /^(\d{4})-(0[1-9]|1[0-2])$/.exec(text)
  return match === null ? undefined : monthOf(instant(Date.UTC(Number(match[1]), Number(match[2]) - 1)))
}

export const monthName = ({ start }: Period): string => isoOf(start).slice(0, 7)

export const daysIn = ({ start, end }: Period): number => Math.round((end - start) / dayMs)

/** The noons of a period's days. Whether a day counts is asked at its noon, so that a term from midnight to midnight has
 * as many days at every place on earth, and none of them twice. */
export const noonsOf = (period: Period): readonly Instant[] =>
  Array.from({ length: daysIn(period) }, (_, day) => instant(period.start + day * dayMs + dayMs / 2))
