import { parseArgs } from 'node:util'
import { assertNever, formatAmount, type Instant } from '../../kernel/index.ts'
import { systemTransaction, type Database } from '../../db/index.ts'
import {
  acceptException,
  correctException,
  DifferenceClass,
  ExceptionState,
  loadExceptions,
  monthName,
  parseMonth,
  runReconciliation,
  type KeptException,
  type Period,
  type ResolveRefusal,
  type StripeBooks,
} from '../../billing/index.ts'
import { untilUnfolded } from '../../metering/index.ts'
import { operator } from '../operator.ts'
import { reportMisuse, reportRefusal, type Io } from '../report.ts'
import { showReconciliation } from './reconcile-show.ts'

export interface ReconcileIo extends Io {
  readonly now: Instant
  readonly database: Database
  /** Undefined where there is no key for Stripe. */
  readonly stripe: StripeBooks | undefined
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
      format: { type: 'string', default: 'text' },
      as: { type: 'string' },
      reason: { type: 'string' },
      by: { type: 'string' },
      'approved-by': { type: 'string' },
    },
  })
type Options = ReturnType<typeof readOptions>['values']

/** `formulary reconcile run|show|exceptions|resolve`: the ledger held against what the hosts and Stripe say of a month. */
export async function runReconcile(args: readonly string[], io: ReconcileIo): Promise<0 | 1 | 2> {
  const { values, positionals } = readOptions(args)
  const [verb, exception, ...more] = verbAndMore(positionals)
  if (more.length > 0) return reportMisuse(io, `\`reconcile ${verb}\` does not take \`${more[0]}\``)
  const period = values.month === undefined ? undefined : parseMonth(values.month)
  if (values.month !== undefined && period === undefined)
    return reportMisuse(io, `--month is a month, such as 2026-10, and not ${values.month}`)
  if (verb === 'exceptions') return showExceptions(io, period, values)
  if (verb === 'resolve') return resolve(io, exception, values)
  if (verb !== 'run' && verb !== 'show')
    return reportMisuse(io, 'what about it? formulary reconcile run|show|exceptions|resolve')
  if (period === undefined) return reportMisuse(io, `which month? formulary reconcile ${verb} --month 2026-10`)
  return verb === 'show' ? showReconciliation(io, { period, format: values.format }) : run(io, period, values)
}

/** Only `resolve` takes something beside its verb. */
const verbAndMore = ([verb, ...rest]: readonly string[]): readonly (string | undefined)[] =>
  verb === 'resolve' ? [verb, ...rest] : [verb, undefined, ...rest]

const person = (name: string | undefined) => (name === undefined ? operator() : { ...operator(), name })

async function run(io: ReconcileIo, period: Period, { by }: Options): Promise<0 | 1> {
  const ran = await runReconciliation(io, { period, actor: person(by), now: io.now })
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

async function resolve(io: ReconcileIo, exceptionId: string | undefined, values: Options): Promise<0 | 1 | 2> {
  const { as, reason = '', by } = values
  if (exceptionId === undefined || (as !== 'corrected' && as !== 'accepted'))
    return reportMisuse(io, 'formulary reconcile resolve <exception id> --as corrected|accepted --reason text')
  const second = values['approved-by']
  const approvedBy = second === undefined ? undefined : person(second)
  const wish = { exceptionId, reason, actor: person(by), now: io.now }
  await untilUnfolded(io.database)
  const done = await systemTransaction(io.database, 'bill', (tx) =>
    as === 'corrected' ? correctException(tx, wish) : acceptException(tx, { ...wish, approvedBy }),
  )
  if (!done.ok) return reportRefusal(io, done.error.reason, resolveInWords(done.error))
  if (io.json) io.out(JSON.stringify(shown(done.value)))
  else io.out(`${done.value.class} of ${done.value.subject} is ${as}.`)
  return 0
}

function resolveInWords(refusal: ResolveRefusal): string {
  switch (refusal.reason) {
    case 'exception_not_found':
      return `there is no exception ${refusal.exception}: formulary reconcile exceptions lists them`
    case 'exception_ended':
      return `${refusal.exception} is ${refusal.state} already`
    case 'exception_changed':
      return `${refusal.exception} is not as it was found: formulary reconcile run looks again`
    case 'not_correctable':
      return `${refusal.class} is not corrected in the ledger: ${refusal.why}. Two people may accept it: --as accepted --by NAME --approved-by ANOTHER`
    case 'reason_missing':
      return 'say why: --reason "…"'
    case 'second_person_missing':
      return 'two people accept a difference: --by NAME and --approved-by ANOTHER'
    default:
      return assertNever(refusal, 'resolveInWords')
  }
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
