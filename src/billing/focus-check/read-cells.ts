/** A file's cells, line by line, of text that comes in pieces of any length: RFC 4180, or JSON lines. Null is an empty cell. */
export type Cells = readonly (string | null)[]

export class CellError extends Error {
  readonly row: number

  constructor(row: number, message: string) {
    super(message)
    this.row = row
  }
}

/** A file whose text has no line end for so long is not one of ours. */
const lineCharsMax = 4_000_000

/** The header first, then its rows. @throws CellError at what is neither CSV nor JSON lines. */
export async function* readCells(text: AsyncIterable<string> | Iterable<string>): AsyncGenerator<Cells> {
  let pending = ''
  let isJson: boolean | undefined
  let header: readonly string[] | undefined
  let row = -1
  for await (const piece of text) {
    pending += piece
    isJson ??= pending === '' ? undefined : pending.startsWith('{')
    const lines = isJson === true ? cutJson(pending) : cutCsv(pending)
    pending = lines.rest
    if (pending.length > lineCharsMax) throw new CellError(row + 1, 'a line does not end')
    for (const line of lines.whole) {
      row += 1
      if (isJson !== true) yield cellsOf(line, row)
      else {
        const values = objectOf(line, row + 1)
        if (header === undefined) yield (header = Object.keys(values))
        yield valuesOf(values, header, row + 1)
      }
    }
  }
  if (pending.trim() !== '') throw new CellError(row + 1, 'the last line has no end')
}

function cutJson(text: string): { whole: readonly string[]; rest: string } {
  const lines = text.split('\n')
  return { whole: lines.slice(0, -1).filter((line) => line !== ''), rest: lines.at(-1) ?? '' }
}

/** A line feed within quotes does not end a line. */
function cutCsv(text: string): { whole: readonly string[]; rest: string } {
  const whole: string[] = []
  let begin = 0
  let from = 0
  let isQuoted = false
  for (;;) {
    const end = text.indexOf('\n', from)
    if (end === -1) return { whole, rest: text.slice(begin) }
    for (let quote = text.indexOf('"', from); quote !== -1 && quote < end; quote = text.indexOf('"', quote + 1))
      isQuoted = !isQuoted
    from = end + 1
    if (isQuoted) continue
    whole.push(text.slice(begin, text[end - 1] === '\r' ? end - 1 : end))
    begin = from
  }
}

function cellsOf(line: string, row: number): Cells {
  const cells: (string | null)[] = []
  let at = 0
  for (;;) {
    if (line[at] === '"') {
      const begin = at + 1
      let end = line.indexOf('"', begin)
      while (end !== -1 && line[end + 1] === '"') end = line.indexOf('"', end + 2)
      if (end === -1) throw new CellError(row, 'a quote does not end')
      at = end
      const cell = line.slice(begin, end).replaceAll('""', '"')
      at += 1
      if (at < line.length && line[at] !== ',') throw new CellError(row, 'text after a quoted cell')
      cells.push(cell === '' ? null : cell)
    } else {
      const end = line.indexOf(',', at)
      const cell = line.slice(at, end === -1 ? undefined : end)
      if (cell.includes('"')) throw new CellError(row, 'a quote within a cell')
      cells.push(cell === '' ? null : cell)
      at = end === -1 ? line.length : end
    }
    if (at >= line.length) return cells
    at += 1
    if (at === line.length) return [...cells, null]
  }
}

function objectOf(line: string, row: number): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(line)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value }
  } catch {
    // Told below.
  }
  throw new CellError(row, 'a line is no JSON object')
}

function valuesOf(values: Record<string, unknown>, header: readonly string[], row: number): Cells {
  const other = Object.keys(values).find((key) => !header.includes(key))
  if (other !== undefined) throw new CellError(row, `the first line has no ${other}`)
  return header.map((column) => {
    const value = values[column]
    if (value === null || value === undefined) return null
    return typeof value === 'string' ? value : JSON.stringify(value)
  })
}
