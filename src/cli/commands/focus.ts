import { createReadStream } from 'node:fs'
import { access } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { assertNever } from '../../kernel/index.ts'
import { checkFocus, type FocusCheckRefusal } from '../../billing/index.ts'
import { reportMisuse, reportRefusal, type Io } from '../report.ts'

/** `formulary focus check <file>…`: files of FOCUS 1.4, ours or another's, against the rules. It needs no database. */
export async function runFocus(args: readonly string[], io: Io): Promise<0 | 1 | 2> {
  const { positionals } = parseArgs({ args: [...args], allowPositionals: true })
  const [verb, ...paths] = positionals
  if (verb !== 'check' || paths.length === 0) return reportMisuse(io, 'formulary focus check cost-and-usage.csv …')
  for (const path of paths) if (!(await isThere(path))) return reportMisuse(io, `${path} cannot be read`)
  const checked = await checkFocus(
    paths.map((name) => ({ name, text: createReadStream(name, { encoding: 'utf8', highWaterMark: 1_048_576 }) })),
  )
  if ('reason' in checked) return reportRefusal(io, checked.reason, inWords(checked))
  const { files, violations, count } = checked
  if (io.json) io.out(JSON.stringify({ files, count, violations }))
  else {
    for (const { name, dataset, rows } of files) io.out(`${name}: ${dataset}, ${rows} rows`)
    for (const { rule, dataset, row, column, found } of violations)
      io.out(
        `${rule}  ${dataset}${row === undefined ? '' : `, row ${row}`}${column === undefined ? '' : `, ${column}`}: ${found}`,
      )
    if (count > violations.length) io.out(`And ${count - violations.length} more.`)
    io.out(count === 0 ? 'No rule is broken.' : `${count} times a rule is broken.`)
  }
  return count === 0 ? 0 : 1
}

const isThere = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  )

function inWords(refusal: FocusCheckRefusal): string {
  switch (refusal.reason) {
    case 'file_unreadable':
      return `${refusal.file}, row ${refusal.row}: ${refusal.message}`
    case 'dataset_unknown':
      return `${refusal.file} has the columns of none of the four datasets`
    case 'dataset_twice':
      return `${refusal.file} is a second file of ${refusal.dataset}`
    default:
      return assertNever(refusal, 'inWords')
  }
}
