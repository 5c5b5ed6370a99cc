import type { Tx } from '../../db/index.ts'
import type { Period } from '../month.ts'
import { compareHours, hasReadings, loadHourTotals, loadInvoicePairs, loadLineTotals } from '../store-compare-stripe.ts'
import { Balance, textsOf } from './balance.ts'
import { classifyHour, classifyLine } from './classify-stripe.ts'
import { differenceOfHour, differenceOfLine, type FoundDifference } from './exception.ts'
import type { Figures } from './figures.ts'

/** Holds the ledger's hours and the invoices' lines against what was read at Stripe; undefined where nothing was. */
export async function compareStripe(
  tx: Tx,
  period: Period,
  note: (difference: FoundDifference) => Promise<void>,
): Promise<Figures['stripe']> {
  if (!(await hasReadings(tx, period))) return undefined
  return { hours: await compareMeters(tx, period, note), lines: await compareInvoices(tx, period, note) }
}

async function compareMeters(tx: Tx, period: Period, note: (difference: FoundDifference) => Promise<void>) {
  const balance = new Balance()
  const { different, agreed } = await compareHours(tx, period)
  balance.agree(new Map([['input', agreed]]))
  for (const hour of different) {
    const ofClass = classifyHour(hour)
    if (ofClass === undefined) continue
    const difference = differenceOfHour(hour, ofClass)
    balance.differ(difference)
    await note(difference)
  }
  const { ours, theirs } = await loadHourTotals(tx, period)
  const totals = { ours: new Map([['input', ours]]), theirs: new Map([['input', theirs]]) }
  balance.requireExplained(totals, { ours: ['input'], theirs: ['input'] })
  return { ours: String(ours), theirs: String(theirs), agreed: String(agreed) }
}

async function compareInvoices(tx: Tx, period: Period, note: (difference: FoundDifference) => Promise<void>) {
  const balance = new Balance()
  for (const pair of await loadInvoicePairs(tx, period)) {
    const ofClass = classifyLine(pair)
    if (ofClass === undefined) balance.agree(new Map([[pair.currency, pair.ours ?? 0n]]))
    else {
      const difference = differenceOfLine(pair, ofClass)
      balance.differ(difference)
      await note(difference)
    }
  }
  const totals = await loadLineTotals(tx, period)
  const currencies = [...totals.ours.keys()]
  balance.requireExplained(totals, { ours: currencies, theirs: currencies })
  return { ours: textsOf(totals.ours), theirs: textsOf(totals.theirs), agreed: textsOf(balance.agreed) }
}
