/**
 * Money at scale 12: 10^12 picos are one unit of the currency. A price per million tokens with up to six decimals is
 * a whole number of picos per token, so that a call's charge is exact and nothing is rounded before the invoice line.
 */
export type Picos = bigint & { readonly [unit]: 'picos' }
declare const unit: unique symbol

const picosPerUnit = 1_000_000_000_000n
export const picos = (value: bigint): Picos => value as Picos
export const zeroPicos = 0n as Picos

/** Reads a decimal such as "12000.00" or "0.0375"; undefined when it is not one or has more than twelve decimals. */
export function parseAmount(text: string): Picos | undefined {
  const match = /^(\d{1,15})(?:\.(\d{1,12}))?$/.exec(text)
  if (match === null) return undefined
  const [, whole = '', fraction = ''] = match
  return picos(BigInt(whole) * picosPerUnit + BigInt(fraction.padEnd(12, '0')))
}

/** Writes picos as a decimal with at least two places: 12000000000000n is "12.00". */
export function formatAmount(value: Picos): string {
  const sign = value < 0n ? '-' : ''
  const magnitude = value < 0n ? 0n - value : value
  const fraction = (magnitude % picosPerUnit).toString().padStart(12, '0').replace(/0+$/, '').padEnd(2, '0')
  return `${sign}${magnitude / picosPerUnit}.${fraction}`
}
