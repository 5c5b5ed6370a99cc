import { assert, type Picos } from '../../kernel/index.ts'

/**
 * A decimal with fourteen places as a whole number: what FOCUS files write. Prices have twelve places, and a percentage of
 * them two more; quantities have so many that their product with a price comes out even.
 */
export type Fine = bigint & { readonly [unit]: 'fine' }
declare const unit: unique symbol

export const finePlaces = 14
const one = 10n ** BigInt(finePlaces)
const picosToFine = 100n

export const fine = (value: bigint): Fine => value as Fine
export const wholeFine = (units: bigint): Fine => fine(units * one)
export const fineOfPicos = (amount: Picos | bigint): Fine => fine(amount * picosToFine)

/** @throws when it does not come out even: a cost that was rounded on its way would not be the product that it says it is. */
export function multiplyFine(a: Fine, b: Fine): Fine {
  const product = a * b
  assert(product % one === 0n, `${a} times ${b} has more than ${finePlaces} places`)
  return fine(product / one)
}

export const isEvenProduct = (a: Fine, b: Fine): boolean => (a * b) % one === 0n

export const sumFine = (values: readonly Fine[]): Fine => fine(values.reduce((sum, value) => sum + value, 0n))

/** "12.5", "-0.003", "0": no sign for what is above zero, no places that say nothing. */
export function formatFine(value: Fine): string {
  const magnitude = value < 0n ? 0n - value : value
  const places = (magnitude % one).toString().padStart(finePlaces, '0').replace(/0+$/, '')
  return `${value < 0n ? '-' : ''}${magnitude / one}${places === '' ? '' : `.${places}`}`
}

/** Reads a decimal of ours back, such as an amount of an invoice's document. */
export function parseFine(text: string): Fine {
  const match = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text)
  const places = match?.[3] ?? ''
  assert(match !== null && places.length <= finePlaces, `${text} is no decimal of at most ${finePlaces} places`)
  const magnitude = BigInt(match[2] ?? '0') * one + BigInt(places.padEnd(finePlaces, '0'))
  return fine(match[1] === '-' ? 0n - magnitude : magnitude)
}
