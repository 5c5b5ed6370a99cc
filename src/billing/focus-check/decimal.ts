/**
 * Decimals as the check reads them: digits and how many of them stand behind the point. The writer has an arithmetic of its
 * own; two that share one would agree about a fault in it.
 */
export interface Decimal {
  readonly digits: bigint
  readonly places: number
}

/** Numeric Format: an optional minus, digits, at most one point; undefined for whatever else. */
export function readDecimal(text: string): Decimal | undefined {
  const match = /^(-?\d+)(?:\.(\d+))?$/.exec(text)
  if (match === null) return undefined
  const places = match[2] ?? ''
  return { digits: BigInt(`${match[1]}${places}`), places: places.length }
}

const atPlaces = ({ digits, places }: Decimal, wanted: number): bigint => digits * 10n ** BigInt(wanted - places)

export function add(a: Decimal, b: Decimal): Decimal {
  const places = Math.max(a.places, b.places)
  return { digits: atPlaces(a, places) + atPlaces(b, places), places }
}

export const multiply = (a: Decimal, b: Decimal): Decimal => ({
  digits: a.digits * b.digits,
  places: a.places + b.places,
})

export function isEqual(a: Decimal, b: Decimal): boolean {
  const places = Math.max(a.places, b.places)
  return atPlaces(a, places) === atPlaces(b, places)
}

export const isZero = ({ digits }: Decimal): boolean => digits === 0n
export const zero: Decimal = { digits: 0n, places: 0 }

/** Compared with a whole number of hundredths: numeric ranges are given so. */
export const isBelow = (a: Decimal, hundredths: bigint): boolean => !isAtLeast(a, hundredths)
const isAtLeast = (a: Decimal, hundredths: bigint): boolean => {
  const places = Math.max(a.places, 2)
  return atPlaces(a, places) >= atPlaces({ digits: hundredths, places: 2 }, places)
}
export const isAbove = (a: Decimal, hundredths: bigint): boolean =>
  isAtLeast(a, hundredths) && !isEqual(a, { digits: hundredths, places: 2 })

export function show({ digits, places }: Decimal): string {
  const text = (digits < 0n ? -digits : digits).toString().padStart(places + 1, '0')
  const whole = text.slice(0, text.length - places)
  return `${digits < 0n ? '-' : ''}${whole}${places === 0 ? '' : `.${text.slice(-places)}`}`
}
