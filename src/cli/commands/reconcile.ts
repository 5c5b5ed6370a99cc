import { parseArgs } from 'node:util'
import { formatAmount, type Instant } from '../../kernel/index.ts'
import { systemTransaction, type Database } from '../../db/index.ts'
import {
  DifferenceClass,
  ExceptionState,
  loadExceptions,
  monthName,
  parseMonth,
  runReconciliation,
  type KeptException,
  type Period,
} from '../../billing/index.ts'
import { operator } from '../operator.ts'
import { reportMisuse, reportRefusal, type Io } from '../report.ts'

export interface ReconcileIo extends Io {
  readonly now: Instant
  readonly database: Database
}

const readOptions = (args: readonly string[]) =>
  parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      month: { type: 'string' },
      state: { type: 'string' },
      class: { type: 'string' },
      tenant: { type: 'string' },
      limit: { type: 'string' },
      by: { type: 'string' },
    },
  })
type Options = ReturnType<typeof readOptions>['values']

/** `formulary reconcile run|exceptions`: the ledger held against what the hosts and Stripe say of a month. */
export async function runReconcile(args: readonly string[], io: ReconcileIo): Promise<0 | 1 | 2> {
  const { values, positionals } = readOptions(args)
  const [verb, ...more] = positionals
  if (more.length > 0) return reportMisuse(io, `\`reconcile ${verb}\` does not take \`${more[0]}\``)
  const period = values.month === undefined ? undefined : parseMonth(values.month)
  if (values.month !== undefined && period === undefined)
    return reportMisuse(io, `--month is a month, such as 2026-10, and not ${values.month}`)
  if (verb === 'exceptions') return showExceptions(io, period, values)
  if (verb !== 'run') return reportMisuse(io, 'what about it? formulary reconcile run|show|exceptions|resolve')
  if (period === undefined) return reportMisuse(io, `which month? formulary reconcile ${verb} --month 2026-10`)
  return run(io, period, values)
}

const person = (name: string | undefined) => (name === undefined ? operator() : { ...operator(), name })

async function run(io: ReconcileIo, period: Period, { by }: Options): Promise<0 | 1> {
  const ran = await runReconciliation(io.database, { period, actor: person(by), now: io.now })
  const month = monthName(period)
  if (!ran.ok)
    return reportRefusal(
      io,
      ran.error.reason,
      `nothing is there to compare ${month} with: formulary host-usage import brings a host's report`,
    )
  const { figures, runId, matched } = ran.value
  if (io.json) io.out(JSON.stringify({ month, run: runId, matched, ...figures }))
  else {
    const { ours, theirs, agreed } = figures.calls
    io.out(`${month}: ${ours.calls} calls here, ${theirs.lines} lines of hosts, ${agreed.calls} agree.`)
    for (const [name, count] of Object.entries(figures.classes)) io.out(`${String(count).padStart(8)}  ${name}`)
    for (const one of figures.unreported)
      io.out(`${one.calls.padStart(8)}  calls of ${one.deployment}, of which there is no report`)
    if (matched > 0) io.out(`${matched} that were open before are there no more.`)
  }
  return 0
}

const exceptionsMax = 10_000

async function showExceptions(io: ReconcileIo, period: Period | undefined, values: Options): Promise<0 | 2> {
  const state = ExceptionState.or(ExceptionState.nullable()).safeParse(values.state ?? null)
  if (!state.success) return reportMisuse(io, `--state is one of ${ExceptionState.options.join(', ')}`)
  const ofClass = values.class === undefined ? undefined : DifferenceClass.safeParse(values.class)
  if (ofClass?.success === false) return reportMisuse(io, `--class is one of ${DifferenceClass.options.join(', ')}`)
  const limit = Number(values.limit ?? '100')
  if (!(Number.isInteger(limit) && limit >= 1 && limit <= exceptionsMax))
    return reportMisuse(io, `--limit is a number up to ${exceptionsMax}`)
  const found = await systemTransaction(io.database, 'bill', (tx) =>
    loadExceptions(tx, {
      period,
      state: state.data ?? undefined,
      class: ofClass?.data,
      tenant: values.tenant,
      limit,
    }),
  )
  if (io.json) io.out(JSON.stringify(found.map(shown)))
  else if (found.length === 0) io.out('There is none.')
  else
    for (const one of found)
      io.out(
        [
          one.exceptionId,
          monthName(one.period),
          one.state.padEnd(9),
          one.class.padEnd(19),
          (one.tenant ?? '?').padEnd(16),
          `${one.oursUnits} here, ${one.theirsUnits} there`,
          one.currency === undefined
            ? ''
            : `${formatAmount(one.oursPicos)} and ${formatAmount(one.theirsPicos)} ${one.currency}`,
          one.subject,
        ].join('  '),
      )
  return 0
}

const shown = (one: KeptException) => ({
  exception: one.exceptionId,
  month: monthName(one.period),
  state: one.state,
  class: one.class,
  tenant: one.tenant ?? null,
  license: one.license ?? null,
  subject: one.subject,
  units: { ours: String(one.oursUnits), theirs: String(one.theirsUnits) },
  picos: { ours: String(one.oursPicos), theirs: String(one.theirsPicos) },
  currency: one.currency ?? null,
  facts: one.facts,
  endedBy: one.endedBy ?? null,
  approvedBy: one.approvedBy ?? null,
  reason: one.reason ?? null,
  correction: one.correction,
})
