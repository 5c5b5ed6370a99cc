import { readFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { err, isoOf, ok, type Instant, type Result } from '../../kernel/index.ts'
import { systemTransaction, type Database, type Tx } from '../../db/index.ts'
import type { Actor } from '../../identity/index.ts'
import {
  actOnLicense,
  amendLicense,
  attest,
  AttestationKind,
  findLicenseRow,
  grantLicense,
  renewLicense,
  transferLicense,
  type Deciders,
  type LicenseGrant,
  type RecordedRevision,
  type RecordRefusal,
} from '../../licensing/index.ts'
import { formatProblem, readGrant } from '../../tenants/index.ts'
import { operator } from '../operator.ts'
import { readInstant } from '../read-values.ts'
import { reportMisuse, reportRefusal, type Io } from '../report.ts'
import { showHistory, showLicense } from './license-show.ts'
import { actInWords, recordInWords } from './license-words.ts'

export interface LicenseIo extends Io {
  readonly now: Instant
  readonly database: Database
}

const verbs =
  'show|history|draft|grant|activate|amend|renew|transfer|attest|suspend|resume|terminate|revoke|document|revocations|keys|verify <license>'

type Options = ReturnType<typeof readOptions>['values']

const readOptions = (args: readonly string[]) =>
  parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      reason: { type: 'string' },
      until: { type: 'string' },
      by: { type: 'string' },
      'approved-by': { type: 'string' },
      file: { type: 'string' },
      effective: { type: 'string' },
      correction: { type: 'boolean', default: false },
      end: { type: 'string' },
      plan: { type: 'string' },
      to: { type: 'string' },
      as: { type: 'string' },
      kind: { type: 'string' },
      at: { type: 'string' },
      'known-at': { type: 'string' },
      'valid-until': { type: 'string' },
    },
  })

/** `formulary license <verb> <license>`. What is done holds on every process within a second. */
export async function runLicense(args: readonly string[], io: LicenseIo): Promise<0 | 1 | 2> {
  const { values, positionals } = readOptions(args)
  const [verb, name, ...more] = positionals
  if (more.length > 0) return reportMisuse(io, `\`license ${verb}\` does not take \`${more[0]}\``)
  const instants = readInstants(values)
  if (!instants.ok) return reportMisuse(io, instants.error)
  const at = instants.value
  switch (verb) {
    case 'show':
    case 'history': {
      if (name === undefined) return misused(io, verb)
      if (verb === 'history') return showHistory(io, name)
      return showLicense(io, name, { at: at.at ?? io.now, knownAt: at['known-at'] ?? io.now })
    }
    case 'suspend':
    case 'revoke':
    case 'resume':
    case 'terminate':
    case 'activate':
      if (name === undefined) return misused(io, verb)
      return perform(io, { license: name, act: verb, until: at.until, values })
    case 'attest':
      if (name === undefined) return misused(io, verb)
      return takeAttestation(io, name, values, { attestedAt: at.at ?? io.now, validUntil: at['valid-until'] })
    case 'draft':
    case 'grant':
      if (name === undefined) return reportMisuse(io, `whose? formulary license ${verb} <tenant> --file license.yaml`)
      return onGrantFile(io, values, {
        tenantOf: () => Promise.resolve(name),
        record: (tx, grant) =>
          grantLicense(tx, { tenant: name, grant, isDraft: verb === 'draft' }, deciders(io, values)),
      })
    case 'amend': {
      if (name === undefined) return misused(io, verb)
      const { effective = io.now } = at
      return onGrantFile(io, values, {
        license: name,
        tenantOf: async (tx) => (await findLicenseRow(tx, name))?.tenant,
        record: (tx, grant) =>
          amendLicense(
            tx,
            { license: name, change: () => grant, effectiveAt: effective, isCorrection: values.correction },
            deciders(io, values),
          ),
      })
    }
    case 'renew': {
      const { end } = at
      if (name === undefined) return misused(io, verb)
      if (end === undefined) return reportMisuse(io, `until when? formulary license renew ${name} --end 2028-07-01`)
      return record(io, (tx) => renewLicense(tx, { license: name, end, plan: values.plan }, deciders(io, values)))
    }
    case 'transfer': {
      const { to, as, reason } = values
      if (name === undefined) return misused(io, verb)
      if (to === undefined || as === undefined || reason === undefined)
        return reportMisuse(io, `formulary license transfer ${name} --to <tenant> --as <new number> --reason "…"`)
      const wish = { license: name, toTenant: to, toLicense: as, reason }
      return record(io, (tx) => transferLicense(tx, wish, deciders(io, values)))
    }
    default:
      return reportMisuse(io, `what about licenses? formulary license ${verbs}`)
  }
}

const misused = (io: LicenseIo, verb: string): 2 =>
  reportMisuse(io, `which license? formulary license ${verb} <license>`)

const person = (name: string): Actor => ({ ...operator(), name })
const actorOf = (values: Options): Actor => (values.by === undefined ? operator() : person(values.by))

const deciders = ({ now }: LicenseIo, values: Options): Deciders => ({
  actor: actorOf(values),
  approvedBy: values['approved-by'] === undefined ? undefined : person(values['approved-by']),
  now,
})

const instantOptions = ['until', 'effective', 'end', 'at', 'known-at', 'valid-until'] as const
type Instants = { readonly [Name in (typeof instantOptions)[number]]?: Instant | undefined }

function readInstants(values: Options): Result<Instants, string> {
  const found: Record<string, Instant> = {}
  for (const name of instantOptions) {
    const text = values[name]
    if (text === undefined) continue
    const at = readInstant(text)
    if (at === undefined) return err(`--${name} must be a day or a time with its zone, such as 2026-12-01T00:00:00Z`)
    found[name] = at
  }
  return ok(found)
}

async function perform(
  io: LicenseIo,
  asked: {
    license: string
    act: 'activate' | 'suspend' | 'resume' | 'revoke' | 'terminate'
    until: Instant | undefined
    values: Options
  },
): Promise<0 | 1 | 2> {
  const { license, act, until, values } = asked
  const reason = values.reason ?? (act === 'activate' ? 'activated' : '')
  if (reason.trim() === '') return reportMisuse(io, `say why: formulary license ${act} ${license} --reason "…"`)
  if (until !== undefined && act !== 'suspend') return reportMisuse(io, '--until goes with suspend only')
  const acted = await systemTransaction(io.database, 'administer', (tx) =>
    actOnLicense(tx, { license, act, reason, until, actor: actorOf(values), now: io.now }),
  )
  if (!acted.ok) return reportRefusal(io, acted.error.reason, actInWords(acted.error))
  const { tenant, state } = acted.value
  if (io.json) io.out(JSON.stringify({ license, tenant, state: state.state }))
  else io.out(`${license} of ${tenant} is ${state.state}.`)
  return 0
}

async function takeAttestation(
  io: LicenseIo,
  license: string,
  values: Options,
  dates: { attestedAt: Instant; validUntil: Instant | undefined },
): Promise<0 | 1 | 2> {
  const kind = AttestationKind.safeParse(values.kind)
  if (!kind.success) return reportMisuse(io, `what was attested? --kind ${AttestationKind.options.join(', --kind ')}`)
  const taken = await systemTransaction(io.database, 'administer', (tx) =>
    attest(tx, { license, kind: kind.data, ...dates, actor: actorOf(values), now: io.now }),
  )
  if (!taken.ok) return reportRefusal(io, taken.error.reason, actInWords(taken.error))
  const facts = { license, kind: kind.data, attestedAt: isoOf(dates.attestedAt), state: taken.value.state.state }
  if (io.json) io.out(JSON.stringify(facts))
  else io.out(`${license} of ${taken.value.tenant}: ${kind.data} attested at ${facts.attestedAt}.`)
  return 0
}

type Recording = Result<RecordedRevision, readonly RecordRefusal[]>
type Work = Parameters<typeof systemTransaction<Recording>>[2]

async function record(io: LicenseIo, work: Work): Promise<0 | 1> {
  return tellRecorded(io, await systemTransaction(io.database, 'administer', work))
}

function tellRecorded(io: LicenseIo, recorded: Recording): 0 | 1 {
  if (!recorded.ok) {
    const [first] = recorded.error
    return reportRefusal(io, first?.reason ?? 'refused', recorded.error.map(recordInWords).join('; '))
  }
  const { license, tenant, revision, effectiveAt, widens } = recorded.value
  if (io.json) io.out(JSON.stringify({ license, tenant, revision, effectiveAt: isoOf(effectiveAt), widens }))
  else {
    io.out(`${license} of ${tenant}: revision ${revision}, from ${isoOf(effectiveAt)} on.`)
    for (const words of widens) io.out(`  more than before: ${words}`)
  }
  return 0
}

/** A grant out of a file in the form of `tenants/<tenant>/license.yaml`, recorded when nothing speaks against it. */
async function onGrantFile(
  io: LicenseIo,
  { file }: Options,
  wish: {
    /** That the file has to be of. */
    license?: string
    tenantOf(tx: Tx): Promise<string | undefined>
    record(tx: Tx, grant: LicenseGrant): Promise<Recording>
  },
): Promise<0 | 1 | 2> {
  if (file === undefined) return reportMisuse(io, 'what does it grant? --file license.yaml, as in tenants/')
  const text = await readFile(file, 'utf8').catch(() => undefined)
  if (text === undefined) return reportMisuse(io, `--file ${file} cannot be read`)
  const { license } = wish
  const done = await systemTransaction(io.database, 'administer', async (tx) => {
    const tenant = await wish.tenantOf(tx)
    if (tenant === undefined) return err([{ reason: 'license_not_found', license: license ?? '' }] as const)
    const grant = await readGrant(tx, tenant, { path: file, text }, io.now)
    if (!grant.ok) return { problems: grant.error }
    if (license !== undefined && grant.value.license !== license) return { isOf: grant.value.license }
    return wish.record(tx, grant.value)
  })
  if ('problems' in done) {
    const lines = done.problems.flatMap((problem) => formatProblem(problem, ''))
    return reportRefusal(io, 'license_file_refused', lines.join('\n'))
  }
  if ('isOf' in done) return reportMisuse(io, `the file is of ${done.isOf}, and what is to be amended is ${license}`)
  return tellRecorded(io, done)
}
