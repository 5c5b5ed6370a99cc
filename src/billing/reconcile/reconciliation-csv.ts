import { formatAmount, isoOf } from '../../kernel/index.ts'
import { spreadsheetCell } from '../invoice-csv.ts'
import { monthName } from '../month.ts'
import type { KeptException } from '../store-reconciliation.ts'

const columns = [
  'exception',
  'month',
  'class',
  'state',
  'tenant',
  'license',
  'subject',
  'ours_units',
  'theirs_units',
  'ours_amount',
  'theirs_amount',
  'currency',
  'ended_at',
  'ended_by',
  'approved_by',
  'reason',
  'facts',
]

export const reconciliationCsvHeader = `${columns.join(',')}\r\n`

/** Exceptions for a spreadsheet, one row each, with the rows on both sides as JSON. RFC 4180. */
export const reconciliationCsv = (exceptions: readonly KeptException[]): string =>
  exceptions
    .map((one) =>
      [
        one.exceptionId,
        monthName(one.period),
        one.class,
        one.state,
        one.tenant ?? '',
        one.license ?? '',
        one.subject,
        String(one.oursUnits),
        String(one.theirsUnits),
        formatAmount(one.oursPicos),
        formatAmount(one.theirsPicos),
        one.currency ?? '',
        one.endedAt === undefined ? '' : isoOf(one.endedAt),
        one.endedBy ?? '',
        one.approvedBy ?? '',
        one.reason ?? '',
        JSON.stringify(one.facts),
      ]
        .map(spreadsheetCell)
        .join(','),
    )
    .map((line) => `${line}\r\n`)
    .join('')
