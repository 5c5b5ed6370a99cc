import { parseArgs } from 'node:util'
import { Failure, instant, type Instant } from '../kernel/index.ts'
import { migrateDatabase, type Database } from '../db/index.ts'
import { openStripeClient, stripeBooks, type StripeBooks } from '../billing/index.ts'
import { ConfigError, readConfig, type Config } from '../platform/node/config.ts'
import { findDatabase } from '../platform/node/find-database.ts'
import { EmbeddedPostgresError } from '../platform/node/embedded-postgres-error.ts'
import { readMigrations } from '../platform/node/read-migrations.ts'
import { StartError } from '../platform/node/start-error.ts'
import { withDatabase } from '../platform/node/given-database.ts'
import { runAdminToken } from './commands/admin-token.ts'
import { runDecision } from './commands/decision.ts'
import { runEvidenceVerify } from './commands/evidence.ts'
import { runExport } from './commands/export.ts'
import { runFocus } from './commands/focus.ts'
import { runKey } from './commands/key.ts'
import { runLicense } from './commands/license.ts'
import { runLicenseDocument, runLicenseVerify, signingVerbs } from './commands/license-document.ts'
import { runRecompute } from './commands/recompute.ts'
import { runTenants } from './commands/tenants.ts'
import { runHostUsage } from './commands/host-usage.ts'
import { runInvoice } from './commands/invoice.ts'
import { runJournal } from './commands/journal.ts'
import { runNotice } from './commands/notice.ts'
import { runPeriod } from './commands/period.ts'
import { runReconcile } from './commands/reconcile.ts'
import { runUsage } from './commands/usage.ts'
import { runVersion } from './commands/version.ts'
import { reportMisuse, reportRefusal, type Io } from './report.ts'

const usage = `usage: formulary <noun> <verb> [--json]

  start                                  everything on this machine, for development (npm start)
  serve                                  gateway and admin, against DATABASE_URL
  db migrate                             brings the database's schema forward
  tenants plan | apply                   compares the declarations with the database, or makes it so
  key create <tenant>/<application>      [--days 90] [--scope chat]…  prints the key once
  key rotate <key id>                    [--overlap-hours 24] [--days 90]
  key revoke <key id>                    [--reason text]
  key list [<tenant>]
  admin-token create <name>              --role licensing [--tenant name] [--days 90]  for the control plane's API
  admin-token list | revoke <token id>   [--reason text]
  license show | history <license>       [--at time] [--known-at time]
  license draft | grant <tenant>         --file license.yaml [--approved-by name]
  license amend | renew | transfer <license>           [--file license.yaml] [--end time] [--approved-by name]
  license activate | suspend | resume | revoke | terminate <license>   --reason text [--until time]
  license document <license> | revocations | keys      signed documents, for files
  license verify <file>                  --keys jwks.json [--revocations file]  needs no server
  version show <model>@<version>         stage, card, digest, and what was done to it
  version sign-off | promote | demote | recall <model>@<version>   --reason text [--to stage] [--role role --by name]
  notice issue <model>@<version>         --summary text [--to licensed] [--days n]  tells those who pin an older one
  notice acknowledge <notice id> | list  [--by name] [--all]
  decision replay <request id>           makes the decision on a recorded call again, with the facts of then
  usage report                           [--tenant name] [--from date] [--to date]
  usage export <license> --month 2026-10 [--late]  the rows that its invoice counts, as CSV
  host-usage import <file>               --deployment east --month 2026-10 [--format csv|json]  what a host says it served
  reconcile run --month 2026-10          holds the ledger against the hosts and Stripe
  reconcile show --month 2026-10         [--format text|json|csv|html]  what agrees, and what does not
  reconcile exceptions                   [--month 2026-10] [--state open] [--class class] [--tenant name]
  reconcile resolve <exception id>       --as corrected|accepted --reason text [--by name --approved-by name]
  period list <license>                  its months, and what their closings froze
  period show <license> --month 2026-10  the month, and what speaks against closing it
  period preview <license> --month 2026-11 [--format text|json|csv|html]  what it would be invoiced at now
  period close <license> --month 2026-10 [--explain item=reason]…  freezes the month and issues its invoice
  period verify <license> --month 2026-10  makes rows' hash and invoice again, and compares
  period reopen <license> --month 2026-10  --reason text --by name --approved-by name
  period evidence <license> --month 2026-10 --out file.tar  [--reconciliation file]  all that an auditor is given of it
  period evidence --verify file.tar      holds such an archive against itself; needs no server
  journal export --period 2026-10        [--tenant name] [--license license]  double entries as CSV
  export focus --month 2026-10           --out folder | --dataset cost-and-usage  [--tenant name] [--license license] [--format csv|jsonl]
  focus check <file>…                    files of FOCUS 1.4 against its rules; needs no server
  invoice list                           [--tenant name] [--license license]
  invoice show <number>                  [--format text|json|csv|html] [--line n]  a line down to its calls
  invoice credit <number>                --reason text  takes it back whole, by a credit note
  journal list | sums                    [--month 2026-10] [--account revenue] [--tenant name] [--license license]
  invoice recompute --invoice file --export usage.csv --plan plan.yaml…  needs no server`

/** What surrounds the command. */
export interface Surroundings {
  readonly environment: NodeJS.ProcessEnv
  out(line: string): void
  err(line: string): void
}

interface CommandIo extends Io {
  readonly environment: NodeJS.ProcessEnv
  readonly now: Instant
}

/** The command line. Returns the exit status: 0 done, 1 refused or failed, 2 usage. */
export async function main(args: readonly string[], surroundings: Surroundings): Promise<number> {
  const [noun, ...rest] = args.filter((arg) => arg !== '--json')
  const io = { ...surroundings, json: args.includes('--json'), now: instant(Date.now()) }
  if (noun === undefined || noun === 'help' || noun === '--help') {
    if (noun !== undefined) io.out(usage)
    else io.err(usage)
    return noun === undefined ? 2 : 0
  }
  try {
    return await run(noun, rest, io)
  } catch (error) {
    if (isForOperator(error)) return reportRefusal(io, 'failed', error.message)
    if (isUsageError(error)) return reportMisuse(io, firstSentence(error.message))
    if (isSchemaMissing(error))
      return reportRefusal(io, 'failed', 'the database is behind this program: formulary db migrate brings it forward')
    throw error
  }
}

async function run(noun: string, rest: readonly string[], io: CommandIo): Promise<number> {
  switch (noun) {
    // What only serves is loaded only by who serves: the other commands begin in a fraction of the time.
    case 'start': {
      parseArgs({ args: [...rest] })
      const { runStart } = await import('./commands/start.ts')
      return runStart(readConfig(io.environment), io)
    }
    case 'serve': {
      parseArgs({ args: [...rest] })
      const { runServe } = await import('./commands/serve.ts')
      return runServe(readConfig(io.environment), io)
    }
    case 'db':
      return runMigrate(rest, io)
    case 'tenants':
      return onDatabase(io, (database, { config }) =>
        runTenants(rest, { ...io, database, tenantsDir: config.TENANTS_DIR }),
      )
    case 'key':
      return onDatabase(io, (database, { keyPepper }) => runKey(rest, { ...io, database, keyPepper }))
    case 'admin-token':
      return onDatabase(io, (database, { keyPepper }) => runAdminToken(rest, { ...io, database, keyPepper }))
    case 'license':
      if (rest[0] === 'verify') return runLicenseVerify(rest, io)
      return onDatabase(io, (database, { signingKey }) =>
        signingVerbs.has(rest[0] ?? '')
          ? runLicenseDocument(rest, { ...io, database, signingKey })
          : runLicense(rest, { ...io, database }),
      )
    case 'version':
      return onDatabase(io, (database) => runVersion(rest, { ...io, database }))
    case 'notice':
      return onDatabase(io, (database) => runNotice(rest, { ...io, database }))
    case 'host-usage':
      return onDatabase(io, (database) => runHostUsage(rest, { ...io, database }))
    case 'reconcile':
      return onDatabase(io, (database, { config }) => runReconcile(rest, { ...io, database, stripe: booksOf(config) }))
    case 'focus':
      return runFocus(rest, io)
    case 'export':
      return onDatabase(io, (database) => runExport(rest, { ...io, database }))
    case 'period':
      if (rest[0] === 'evidence' && rest.includes('--verify')) return runEvidenceVerify(rest.slice(1), io)
      return onDatabase(io, (database) => runPeriod(rest, { ...io, database }))
    case 'journal':
      return onDatabase(io, (database) => runJournal(rest, { ...io, database }))
    case 'invoice':
      if (rest[0] === 'recompute') return runRecompute(rest.slice(1), io)
      return onDatabase(io, (database) => runInvoice(rest, { ...io, database }))
    case 'decision':
      return onDatabase(io, (database) => runDecision(rest, { ...io, database }))
    case 'usage':
      return onDatabase(io, (database) => runUsage(rest, { ...io, database }))
    default:
      return reportMisuse(io, `there is no \`${noun}\`: formulary help lists what there is`)
  }
}

const booksOf = ({ STRIPE_SECRET_KEY: secretKey, STRIPE_API_BASE: apiBase }: Config): StripeBooks | undefined =>
  secretKey === undefined ? undefined : stripeBooks(openStripeClient({ secretKey, apiBase }))

async function onDatabase(
  io: CommandIo,
  work: (
    database: Database,
    found: { config: Config; keyPepper: string | undefined; signingKey: string | undefined },
  ) => Promise<number>,
): Promise<number> {
  const config = readConfig(io.environment)
  const found = await findDatabase(config)
  try {
    return await withDatabase(found, (database) =>
      work(database, { config, keyPepper: found.keyPepper, signingKey: found.signingKey }),
    )
  } finally {
    await found.close()
  }
}

async function runMigrate(rest: readonly string[], io: CommandIo): Promise<number> {
  const { positionals } = parseArgs({ args: [...rest], allowPositionals: true })
  if (positionals.join(' ') !== 'migrate') return reportMisuse(io, 'what about the database? formulary db migrate')
  const found = await findDatabase(readConfig(io.environment))
  try {
    const applied = await migrateDatabase({ ownerUrl: found.ownerUrl, migrations: await readMigrations() })
    if (io.json) io.out(JSON.stringify({ applied }))
    else io.out(applied.length === 0 ? 'The database is up to date.' : `Applied ${applied.join(', ')}.`)
    return 0
  } finally {
    await found.close()
  }
}

const isForOperator = (error: unknown): error is Error =>
  error instanceof ConfigError ||
  error instanceof StartError ||
  error instanceof EmbeddedPostgresError ||
  error instanceof Failure

/** What node:util's parseArgs throws at an unknown option or a missing value. */
const isUsageError = (error: unknown): error is Error =>
  error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS')

const firstSentence = (text: string): string => text.replace(/\. .*$/s, '')

/** PostgreSQL's undefined_table and undefined_column. */
const isSchemaMissing = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && (error.code === '42P01' || error.code === '42703')
