import { err, ok, picos, type Result } from '../../kernel/index.ts'
import type { Correction, LedgerKey } from '../../metering/index.ts'
import { standingRows, sumOf, unitsOfHost, unitsOfRow, type CallPair, type LedgerRow, type Units } from './call-pair.ts'
import { principalOf } from './classify-call.ts'
import { pricesOf, worthOf, type CompareRules } from './compare-rules.ts'
import type { DifferenceClass } from './difference.ts'

/**
 * What has to be added to the ledger so that a call of this class is what the host counts, at the list price; or why that is
 * not for the ledger to do. Pure: nothing is written here.
 */
export function correctCall(
  pair: CallPair,
  ofClass: DifferenceClass,
  rules: CompareRules,
): Result<readonly Correction[], string> {
  const rows = standingRows(pair.ledger.filter(({ book }) => book === 'here'))
  const row = principalOf(rows)
  if (row === undefined) return err('the ledger has no row of it to correct')
  const host = pair.host.filter(({ book }) => book === 'here')
  switch (ofClass) {
    case 'missing_at_host':
      return ok(rows.filter(saysSomething).map((one) => ({ of: keyOf(one), right: undefined })))
    case 'duplicate': {
      const others = rows.filter((one) => one !== row && saysSomething(one))
      return others.length === 0
        ? err('the host lists it more than once: its report has to be mended and imported again')
        : ok(others.map((one) => ({ of: keyOf(one), right: undefined })))
    }
    case 'quantity_differs':
    case 'rate_differs': {
      const others = rows.filter((one) => one !== row)
      return ok([{ of: keyOf(row), right: rightOf(row, { theirs: sumOf(host.map(unitsOfHost)), others }, rules) }])
    }
    case 'wrong_model': {
      const [first] = host
      const served = rules.served.filter(
        (one) =>
          one.deployment === row.deployment &&
          (one.upstreamModel === first?.model || one.model === first?.model) &&
          (first.version === undefined || first.version === one.version),
      )
      const [one] = served
      if (one === undefined || served.length > 1)
        return err('the host’s name for what it served is not one version of the catalog')
      const { model, version } = one
      return ok([
        {
          of: keyOf(row),
          right: rightOf({ ...row, model, version }, { theirs: sumOf(host.map(unitsOfHost)), others: [] }, rules),
        },
      ])
    }
    default:
      return err(whyNot[ofClass] ?? 'nothing of it stands in the ledger')
  }
}

const whyNot: Partial<Record<DifferenceClass, string>> = {
  late: 'it is corrected by the month that is closed next',
  wrong_period: 'it is counted once on each side, in months beside each other',
  missing_in_ledger: 'nobody knows under which license and for which facility it was made',
  wrong_tenant: 'nobody knows under which license and for which facility of the other tenant it was made',
  unbilled_stream_cut: 'a caller pays for what was delivered',
  clock_skew: 'no unit and no amount is wrong',
}

const saysSomething = (row: LedgerRow): boolean =>
  row.requests !== 0 || row.inputTokens !== 0n || row.outputTokens !== 0n || row.inferences !== 0n || row.charge !== 0n

const keyOf = ({ tenantId, startedAtText, requestId, attempt }: LedgerRow): LedgerKey => ({
  tenantId,
  startedAt: startedAtText,
  requestId,
  attempt,
})

/** What the call costs and counts by the host, less what its other rows say already. */
function rightOf(
  row: LedgerRow,
  { theirs, others }: { theirs: Units; others: readonly LedgerRow[] },
  rules: CompareRules,
): Correction['right'] {
  const said = sumOf(others.map(unitsOfRow))
  const charged = others.reduce((sum, { charge }) => sum + charge, 0n)
  const isPredictor = row.operation === 'infer'
  const input = theirs.input - said.input
  return {
    model: row.model,
    version: row.version,
    requests: 1,
    inputTokens: isPredictor ? 0n : input,
    outputTokens: theirs.output - said.output,
    inferences: isPredictor ? input : 0n,
    charge: picos(worthOf(pricesOf(rules, row), theirs, row.operation) - charged),
  }
}
