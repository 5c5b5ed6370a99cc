import Fraction from 'fraction.js'
import { formatAmount, picos, type Picos } from '../../src/kernel/index.ts'
import { settleCredit } from '../../src/billing/settle-credit.ts'
import { ratePeriod } from '../../src/billing/rate-period.ts'
import { oracleOf } from './oracle.ts'
import type { RandomCase } from './random-case.ts'

/** Where the rating and the oracle differ, and where a sum is none; nothing when all is well. */
export function differencesOf({ use, plans, credit }: RandomCase): readonly string[] {
  const rated = ratePeriod(use, plans)
  const expected = oracleOf(use, plans)
  const found: string[] = []
  if (rated.length !== expected.length) found.push(`${rated.length} lines instead of ${expected.length}`)
  for (const [at, line] of rated.entries()) {
    const wanted = expected[at]
    if (wanted === undefined || wanted.key !== line.key) found.push(`${line.key} instead of ${wanted?.key}`)
    else if (!same(line.amount, wanted.amount)) found.push(`${line.key}: ${line.amount} instead of ${wanted.amount}`)
    for (const { facility, amount } of line.shares)
      if (!same(amount, wanted?.shares[facility] ?? 'NaN')) found.push(`${line.key}, ${facility}: ${amount}`)
    const parts = line.shares.reduce((sum, share) => sum + share.amount, 0n)
    if (line.shares.length > 0 && parts !== line.amount) found.push(`${line.key}: its shares are ${parts}`)
  }
  const charged = rated.reduce((sum, { amount }) => sum + amount, 0n)
  const { used, left } = settleCredit({
    charged: picos(charged),
    balance: picos(credit.balance),
    bought: picos(credit.bought),
  })
  const there = fractionOf(credit.balance).add(fractionOf(credit.bought))
  const total = expected.reduce((sum, { amount }) => sum.add(amount), new Fraction(0))
  const burned = total.compare(there) < 0 ? total : there
  if (!fractionOf(used).equals(burned)) found.push(`credit used: ${used}`)
  if (!fractionOf(left).equals(there.sub(burned))) found.push(`credit left: ${left}`)
  if (!fractionOf(charged - used).equals(total.sub(burned))) found.push(`to pay: ${charged - used}`)
  return found
}

const fractionOf = (amount: bigint): Fraction => new Fraction(amount, 1_000_000_000_000n)
const same = (amount: Picos, text: string): boolean => {
  const [whole, part = ''] = formatAmount(amount).split('.')
  const [otherWhole, otherPart = ''] = text.split('.')
  return whole === otherWhole && part.replace(/0+$/, '') === otherPart.replace(/0+$/, '')
}
