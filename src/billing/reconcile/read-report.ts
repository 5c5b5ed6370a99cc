import { err, ok, type Result } from '../../kernel/index.ts'
import { reportColumns, type HostUsage, type ReportColumn, type ReportFormat } from './host-usage.ts'
import { readReportHeader, readReportLine, type ReadCell, type ReportProblem } from './read-report-line.ts'

/** What a stretch of a report holds. */
export interface ReportStretch {
  readonly rows: readonly HostUsage[]
  readonly problems: readonly ReportProblem[]
}

const lineCharactersMax = 10_000
/** Beyond that a report is split by its sender. */
const linesMax = 100_000_000

/**
 * Reads a report as it arrives, stretch by stretch, so that no more than one stands in memory. CSV as RFC 4180 quotes, but a
 * line is a line; JSON as one object per line, or as an array with one object per line.
 */
export async function* readReport(
  chunks: AsyncIterable<string>,
  format: ReportFormat,
): AsyncGenerator<ReportStretch, void, undefined> {
  const reader = format === 'csv' ? new CsvLines() : new JsonLines()
  let rest = ''
  let line = 0
  const readAll = (lines: readonly string[]): ReportStretch => {
    const [rows, problems]: [HostUsage[], ReportProblem[]] = [[], []]
    for (const text of lines) {
      line++
      const read = reader.read(line, line === 1 ? text.replace(/^\uFEFF/, '').trimEnd() : text.trimEnd())
      if (!read.ok) problems.push(read.error)
      else if (read.value !== undefined) rows.push(read.value)
    }
    return { rows, problems }
  }
  for await (const chunk of chunks) {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    yield readAll(lines)
    if (rest.length > lineCharactersMax || line > linesMax) {
      const instead = `write one call per line, at most ${lineCharactersMax} characters each`
      yield { rows: [], problems: [{ line: line + 1, found: 'it does not end', instead }] }
      return
    }
  }
  if (rest !== '') yield readAll([rest])
  if (line === 0 && format === 'csv') yield { rows: [], problems: [headerMissing] }
}

const headerMissing: ReportProblem = {
  line: 1,
  found: 'there is nothing',
  instead: `begin with a header: ${reportColumns.join(',')}`,
}

interface Lines {
  /** Undefined: the line holds no call. */
  read(line: number, text: string): Result<HostUsage | undefined, ReportProblem>
}

class CsvLines implements Lines {
  #places: ReadonlyMap<ReportColumn, number> | undefined
  #width = 0

  read(line: number, text: string): Result<HostUsage | undefined, ReportProblem> {
    if (text === '' && line > 1) return ok(undefined)
    const cells = text.includes('"') ? quotedCells(text) : text.split(',')
    if (cells === undefined)
      return err({ line, found: 'a quotation mark is not closed', instead: 'write "" for one inside a quoted cell' })
    if (line === 1) {
      const header = readReportHeader(cells)
      if (!header.ok) return header
      this.#places = header.value
      this.#width = cells.length
      return ok(undefined)
    }
    const places = this.#places
    // The header has been told of; what stands under it cannot be read.
    if (places === undefined) return ok(undefined)
    if (cells.length !== this.#width)
      return err({ line, found: `it has ${cells.length} cells`, instead: `write ${this.#width}, as the header has` })
    const cell: ReadCell = (column) => {
      const place = places.get(column)
      const value = place === undefined ? undefined : cells[place]
      return value === '' ? undefined : value
    }
    return readReportLine(line, cell)
  }
}

/** The cells of a line with quotes; undefined when one is not closed. */
function quotedCells(text: string): readonly string[] | undefined {
  const cells: string[] = []
  for (let at = 0; at <= text.length;) {
    const match = /^(?:"((?:[^"]|"")*)"|([^",]*))(?:,|$)/.exec(text.slice(at))
    if (match === null) return undefined
    const [whole, quoted, plain = ''] = match
    cells.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'))
    at += whole.length
    if (!whole.endsWith(',')) break
  }
  return cells
}

class JsonLines implements Lines {
  read(line: number, text: string): Result<HostUsage | undefined, ReportProblem> {
    const bare = text.trim().replace(/,$/, '')
    if (bare === '' || bare === '[' || bare === ']') return ok(undefined)
    const instead = 'write one object per line, such as {"request_id":"req_…","at":"…","model":"…",…}'
    let value: unknown
    try {
      value = JSON.parse(bare)
    } catch {
      return err({ line, found: 'it is no JSON by itself', instead })
    }
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      return err({ line, found: 'it is no object', instead })
    const members = new Map(Object.entries(value))
    const unknown = [...members.keys()].find((name) => !reportColumns.some((column) => column === name))
    if (unknown !== undefined)
      return err({ line, found: `it has a member ${JSON.stringify(unknown)}`, instead: reportColumns.join(', ') })
    const cell: ReadCell = (column) => {
      const member: unknown = members.get(column)
      if (typeof member === 'number') return String(member)
      return typeof member === 'string' && member !== '' ? member : undefined
    }
    return readReportLine(line, cell)
  }
}
