import { parseArgs } from 'node:util'
import { formatAmount, isoOf } from '../../kernel/index.ts'
import { systemTransaction, type Database } from '../../db/index.ts'
import { AccountName, listJournal, parseMonth, sumJournal, type JournalAsked } from '../../billing/index.ts'
import { reportMisuse, type Io } from '../report.ts'
import { runJournalExport } from './journal-export.ts'

export interface JournalIo extends Io {
  readonly database: Database
}

/** Entries of one list; the API has them page by page. */
const entriesMax = 1_000

/** `formulary journal list|sums|export`: what was booked, by month and account. */
export async function runJournal(args: readonly string[], io: JournalIo): Promise<0 | 1 | 2> {
  if (args[0] === 'export') return runJournalExport(args.slice(1), io)
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      month: { type: 'string' },
      account: { type: 'string' },
      tenant: { type: 'string' },
      license: { type: 'string' },
    },
  })
  const [verb, ...more] = positionals
  if (more.length > 0) return reportMisuse(io, `\`journal ${verb}\` does not take \`${more[0]}\``)
  if (verb !== 'list' && verb !== 'sums')
    return reportMisuse(io, 'what about the journal? formulary journal list|sums|export')
  const period = values.month === undefined ? undefined : parseMonth(values.month)
  if (values.month !== undefined && period === undefined)
    return reportMisuse(io, `which month? formulary journal ${verb} --month 2026-10`)
  const account = values.account === undefined ? undefined : AccountName.safeParse(values.account)
  if (account?.success === false) return reportMisuse(io, `--account is one of ${AccountName.options.join(', ')}`)
  const asked = { period, account: account?.data, tenant: values.tenant, license: values.license }
  return verb === 'list' ? list(io, asked) : sums(io, asked)
}

async function list(io: JournalIo, asked: JournalAsked): Promise<0> {
  const entries = await systemTransaction(io.database, 'bill', (tx) =>
    listJournal(tx, { ...asked, after: undefined, limit: entriesMax }),
  )
  const shown = entries.map(({ at, document, tenant, license, currency, kind, postings }) => ({
    at: isoOf(at),
    document,
    kind,
    tenant,
    license,
    currency,
    postings: postings.map(({ account, sku, amount }) => ({ account, sku: sku ?? null, amount: formatAmount(amount) })),
  }))
  if (io.json) io.out(JSON.stringify(shown))
  else if (shown.length === 0) io.out('Nothing is booked there.')
  else
    for (const { at, document, license, currency, postings } of shown) {
      io.out(`${at}  ${document}  ${license}`)
      for (const { account, sku, amount } of postings)
        io.out(`  ${`${account}${sku === null ? '' : ` ${sku}`}`.padEnd(48)} ${amount.padStart(20)} ${currency}`)
    }
  return 0
}

async function sums(io: JournalIo, asked: JournalAsked): Promise<0> {
  const found = await systemTransaction(io.database, 'bill', (tx) => sumJournal(tx, asked))
  const shown = found.map(({ account, sku, currency, debits, credits }) => ({
    account,
    sku: sku ?? null,
    currency,
    debits: formatAmount(debits),
    credits: formatAmount(credits),
  }))
  if (io.json) io.out(JSON.stringify(shown))
  else if (shown.length === 0) io.out('Nothing is booked there.')
  else
    for (const { account, sku, currency, debits, credits } of shown)
      io.out(
        `${`${account}${sku === null ? '' : ` ${sku}`}`.padEnd(48)} ${debits.padStart(20)} ${credits.padStart(20)} ${currency}`,
      )
  return 0
}
