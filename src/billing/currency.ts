import { assert, type Picos } from '../kernel/index.ts'

/** Decimals of a currency's smallest unit (ISO 4217:2015, table A.1), where they are not two. */
const exponents: ReadonlyMap<string, number> = new Map([
  ...['BIF', 'CLP', 'DJF', 'GNF', 'ISK', 'JPY', 'KMF', 'KRW', 'PYG', 'RWF', 'UGX', 'UYI', 'VND', 'VUV', 'XAF', 'XOF']
    .concat('XPF')
    .map((code) => [code, 0] as const),
  ...['BHD', 'IQD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND'].map((code) => [code, 3] as const),
  ...['CLF', 'UYW'].map((code) => [code, 4] as const),
])

export const currencyExponent = (currency: string): number => exponents.get(currency) ?? 2

/** The smallest unit that can be paid, in picos: 10,000,000,000 for a cent. */
export const smallestUnit = (currency: string): bigint => 10n ** BigInt(12 - currencyExponent(currency))

/** An amount as it is paid, with the decimals of its currency: "1234.50", "1234" for yen. */
export function formatMoney(amount: Picos, currency: string): string {
  const unit = smallestUnit(currency)
  assert(amount % unit === 0n, `${amount} picos cannot be paid in ${currency}`)
  const digits = (amount < 0n ? 0n - amount : amount) / unit
  const decimals = currencyExponent(currency)
  const text = digits.toString().padStart(decimals + 1, '0')
  const whole = text.slice(0, text.length - decimals)
  return `${amount < 0n ? '-' : ''}${whole}${decimals === 0 ? '' : `.${text.slice(-decimals)}`}`
}
