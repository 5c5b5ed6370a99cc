import { assert } from '../kernel/index.ts'

/** A sum of money that may not come out even: so many picos over a denominator. */
export interface Exact {
  readonly numerator: bigint
  /** Above zero. */
  readonly denominator: bigint
}

export const exactly = (numerator: bigint, denominator = 1n): Exact => ({ numerator, denominator })

export const addExact = (a: Exact, b: Exact): Exact =>
  exactly(a.numerator * b.denominator + b.numerator * a.denominator, a.denominator * b.denominator)

/** To whole multiples of `unit`; what lies in the middle goes to the even one, so that many lines do not drift one way. */
export function roundHalfEven({ numerator, denominator }: Exact, unit: bigint): bigint {
  assert(denominator > 0n && unit > 0n, 'a denominator and a unit are above zero')
  const whole = denominator * unit
  const floor = numerator >= 0n ? numerator / whole : -((whole - 1n - numerator) / whole)
  const twice = 2n * (numerator - floor * whole)
  const isUp = twice > whole || (twice === whole && floor % 2n !== 0n)
  return (isUp ? floor + 1n : floor) * unit
}

/**
 * Splits an amount, a whole multiple of `unit`, by weights: each part gets what its weight makes of it, rounded down, and
 * the units left over go to the largest remainders, of equal ones to the first. The parts add up to the amount.
 */
export function allocate(amount: bigint, weights: readonly bigint[], unit: bigint): readonly bigint[] {
  const total = weights.reduce((sum, weight) => sum + weight, 0n)
  assert(amount >= 0n && amount % unit === 0n && total > 0n, 'what is split is a whole amount, by weights above zero')
  const units = amount / unit
  const parts = weights.map((weight, at) => ({
    at,
    floor: (units * weight) / total,
    remainder: (units * weight) % total,
  }))
  const left = Number(units - parts.reduce((sum, { floor }) => sum + floor, 0n))
  const first = parts
    .toSorted((a, b) => (a.remainder === b.remainder ? a.at - b.at : a.remainder > b.remainder ? -1 : 1))
    .slice(0, left)
  const luckier = new Set(first.map(({ at }) => at))
  return parts.map(({ at, floor }) => (floor + (luckier.has(at) ? 1n : 0n)) * unit)
}
