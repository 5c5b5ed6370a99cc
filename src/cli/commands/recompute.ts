import { readFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { assertNever } from '../../kernel/index.ts'
import {
  InvoiceDocument,
  recomputeInvoice,
  type PlanFacts,
  type RecomputedLine,
  type RecomputeRefusal,
} from '../../billing/index.ts'
import { nodeSha256 } from '../../platform/node/ports.ts'
import { formatProblem, readPlan } from '../../tenants/index.ts'
import { reportMisuse, reportRefusal, type Io } from '../report.ts'

const howTo = 'formulary invoice recompute --invoice INV-000001.json --export usage.csv --plan plan.yaml'

/** `formulary invoice recompute`: an invoice from the tenant's own export and the plan, without a server or a database. */
export async function runRecompute(args: readonly string[], io: Io): Promise<0 | 1 | 2> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      invoice: { type: 'string' },
      export: { type: 'string' },
      plan: { type: 'string', multiple: true },
    },
  })
  const { invoice, export: exported, plan = [] } = values
  if (invoice === undefined || exported === undefined || plan.length === 0) return reportMisuse(io, howTo)
  const texts = new Map<string, string>()
  for (const path of [invoice, exported, ...plan]) {
    const text = await readFile(path, 'utf8').catch(() => undefined)
    if (text === undefined) return reportMisuse(io, `${path} cannot be read`)
    texts.set(path, text)
  }
  const document = readInvoice(texts.get(invoice) ?? '')
  if (document === undefined)
    return reportRefusal(io, 'invoice_unreadable', `${invoice} is no invoice of formulary invoice show --format json`)
  const plans: PlanFacts[] = []
  for (const path of plan) {
    const read = readPlan({ path, text: texts.get(path) ?? '' })
    if (!read.ok)
      return reportRefusal(io, 'plan_refused', read.error.flatMap((problem) => formatProblem(problem, '')).join('\n'))
    plans.push(read.value)
  }
  const again = recomputeInvoice({ invoice: document, exported: texts.get(exported) ?? '', plans }, nodeSha256)
  if (!again.ok) return reportRefusal(io, again.error.reason, inWords(again.error))
  const { lines, isFrozenExport, agrees } = again.value
  if (io.json) io.out(JSON.stringify({ number: document.number, agrees, isFrozenExport, lines }))
  else {
    for (const line of lines) io.out(inColumns(line))
    io.out(
      isFrozenExport
        ? 'The export is the one that the month was frozen under.'
        : 'The export is NOT the one that the month was frozen under.',
    )
    io.out(
      agrees
        ? `${document.number} is what your export makes of it.`
        : `${document.number} DIFFERS from what your export makes of it.`,
    )
  }
  return agrees && isFrozenExport ? 0 : 1
}

function readInvoice(text: string): InvoiceDocument | undefined {
  try {
    return InvoiceDocument.safeParse(JSON.parse(text)).data
  } catch {
    // Not JSON at all.
    return undefined
  }
}

const verdicts = {
  same: 'same',
  differs: 'DIFFERS',
  not_recomputed: 'not recomputed: another month, or a tax',
} as const

const inColumns = ({ line, key, invoiced, recomputed, verdict }: RecomputedLine): string =>
  `${String(line ?? '').padStart(3)}  ${key.padEnd(64)} ${(invoiced ?? '').padStart(16)} ${(recomputed ?? '').padStart(16)}  ${verdicts[verdict]}`

function inWords(refusal: RecomputeRefusal): string {
  switch (refusal.reason) {
    case 'export_header_differs':
      return 'the export does not begin with the header of formulary usage export'
    case 'export_line_unreadable':
      return `line ${refusal.line} of the export is not as it was written`
    case 'export_out_of_order':
      return `line ${refusal.line} of the export stands twice or in the wrong place`
    case 'plan_missing':
      return `revision ${refusal.revision} of ${refusal.plan} is not among the plans: none has the digest that the invoice names`
    case 'credit_note_not_recomputed':
      return `${refusal.number} is a credit note: recompute the invoice that it takes back`
    default:
      return assertNever(refusal, 'inWords')
  }
}
