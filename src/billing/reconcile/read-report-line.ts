import { err, instant, isUuid, ok, type Result, type Uuid } from '../../kernel/index.ts'
import { optionalColumns, reportColumns, type HostUsage, type ReportColumn } from './host-usage.ts'

/** A line that says something else than a report may, and what to write instead. */
export interface ReportProblem {
  readonly line: number
  readonly found: string
  readonly instead: string
}

/** Reads the cells of a line; the cell of a column that is left out is undefined. */
export type ReadCell = (column: ReportColumn) => string | undefined

/** One line as a row. The first thing that is wrong with it is told. */
export function readReportLine(line: number, cell: ReadCell): Result<HostUsage, ReportProblem> {
  const problem = (column: ReportColumn, instead: string) =>
    err({ line, found: `${column} is ${shown(cell(column))}`, instead })
  const at = Date.parse(cell('at') ?? '')
  if (Number.isNaN(at) || !timePattern.test(cell('at') ?? ''))
    return problem('at', 'write an instant with its zone, such as 2026-10-31T23:59:59.123Z')
  const model = cell('model') ?? ''
  if (model === '' || model.length > nameMax) return problem('model', 'write the name under which the host serves it')
  for (const column of ['input_units', 'output_units'] as const)
    if (!unitsPattern.test(cell(column) ?? ''))
      return problem(column, 'write a whole number of tokens or inferences of at most fifteen digits, 0 for none')
  const status = cell('status') ?? ''
  if (!/^\d{1,3}$/.test(status)) return problem('status', 'write the HTTP status, 0 when no answer left')
  const attempt = cell('attempt') ?? '1'
  if (!/^[1-9]\d{0,3}$/.test(attempt)) return problem('attempt', 'write the number of the attempt, from 1 to 9999')
  for (const column of ['version', 'tenant', 'request_id'] as const)
    if ((cell(column) ?? '').length > nameMax) return problem(column, `write at most ${nameMax} characters`)
  return ok({
    line,
    requestId: readRequestId(cell('request_id') ?? ''),
    at: instant(at),
    attempt: Number(attempt),
    model,
    version: cell('version'),
    inputUnits: BigInt(cell('input_units') ?? ''),
    outputUnits: BigInt(cell('output_units') ?? ''),
    status: Number(status),
    tenant: cell('tenant'),
  })
}

const nameMax = 200
const unitsPattern = /^\d{1,15}$/
const timePattern = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:\d\d)$/

/** `req_` and the UUID without hyphens, as we send it, or the UUID itself. Whatever else it is, it is none of ours. */
export function readRequestId(text: string): Uuid | undefined {
  const hex = /^req_([0-9a-f]{32})$/.exec(text)?.[1]
  if (hex !== undefined)
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
  return isUuid(text) ? text : undefined
}

const shown = (text: string | undefined): string =>
  text === undefined || text === '' ? 'missing' : JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text)

/** The header of a CSV: where each column stands. */
export function readReportHeader(cells: readonly string[]): Result<ReadonlyMap<ReportColumn, number>, ReportProblem> {
  const instead = `begin with a header of ${reportColumns.join(',')}; ${[...optionalColumns].join(', ')} may be left out`
  const places = new Map<ReportColumn, number>()
  for (const [place, name] of cells.entries()) {
    const column = reportColumns.find((one) => one === name.trim())
    if (column === undefined || places.has(column))
      return err({ line: 1, found: `the header has ${shown(name)}${column === undefined ? '' : ' twice'}`, instead })
    places.set(column, place)
  }
  const missing = reportColumns.filter((column) => !optionalColumns.has(column) && !places.has(column))
  return missing.length === 0 ? ok(places) : err({ line: 1, found: `the header lacks ${missing.join(', ')}`, instead })
}
