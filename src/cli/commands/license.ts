import { parseArgs } from 'node:util'
import { assertNever, isoOf, plusDays, type Instant } from '../../kernel/index.ts'
import { systemTransaction, type Database } from '../../db/index.ts'
import {
  actOnLicense,
  licenseState,
  loadLicenses,
  revisionAt,
  type ActRefusal,
  type LicenseActName,
  type LicenseFacts,
} from '../../licensing/index.ts'
import { readInstant } from '../read-values.ts'
import { reportMisuse, reportRefusal, type Io } from '../report.ts'

export interface LicenseIo extends Io {
  readonly now: Instant
  readonly database: Database
}

/** `formulary license show|suspend|resume|revoke`. What is done holds on every process within a second. */
export async function runLicense(args: readonly string[], io: LicenseIo): Promise<0 | 1 | 2> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { reason: { type: 'string' }, until: { type: 'string' } },
  })
  const [verb, license, ...more] = positionals
  if (more.length > 0) return reportMisuse(io, `\`license ${verb}\` does not take \`${more[0]}\``)
  switch (verb) {
    case 'show':
      return license === undefined ? misused(io, verb) : show(io, license)
    case 'suspend':
    case 'revoke':
    case 'resume': {
      if (license === undefined) return misused(io, verb)
      const { reason = '' } = values
      if (reason.trim() === '') return reportMisuse(io, `say why: formulary license ${verb} ${license} --reason "…"`)
      if (values.until !== undefined && verb !== 'suspend') return reportMisuse(io, '--until goes with suspend only')
      const until = values.until === undefined ? undefined : readInstant(values.until)
      if (values.until !== undefined && until === undefined)
        return reportMisuse(io, '--until must be a day or a time with its zone, such as 2026-12-01T00:00:00Z')
      return perform(io, { license, act: verb, reason, until })
    }
    default:
      return reportMisuse(io, 'what about licenses? formulary license show|suspend|resume|revoke <license>')
  }
}

const misused = (io: LicenseIo, verb: string): 2 =>
  reportMisuse(io, `which license? formulary license ${verb} <license>`)

async function perform(
  io: LicenseIo,
  wish: { license: string; act: LicenseActName; reason: string; until: Instant | undefined },
): Promise<0 | 1> {
  const acted = await systemTransaction(io.database, 'administer', (tx) =>
    actOnLicense(tx, { ...wish, by: 'cli', now: io.now }),
  )
  if (!acted.ok) return reportRefusal(io, acted.error.reason, wordsFor(acted.error))
  const { license } = wish
  const { tenant, state } = acted.value
  if (io.json) io.out(JSON.stringify({ license, tenant, state: state.state }))
  else io.out(`${license} of ${tenant} is ${state.state}.`)
  return 0
}

async function show(io: LicenseIo, license: string): Promise<0 | 1> {
  const all = await systemTransaction(io.database, 'administer', (tx) => loadLicenses(tx, 'all'))
  const facts = all.find((candidate) => candidate.license === license)
  const revision = facts === undefined ? undefined : (revisionAt(facts, io.now) ?? facts.revisions[0])
  if (facts === undefined || revision === undefined)
    return reportRefusal(io, 'license_not_found', wordsFor({ reason: 'license_not_found', license }))
  const { state } = licenseState(facts, revision, io.now)
  if (io.json) io.out(JSON.stringify({ license, state, revision: shownRevision(revision), acts: shownActs(facts) }))
  else {
    io.out(`${license} is ${state}, revision ${revision.revision}, plan ${revision.plan}`)
    io.out(`term    ${isoOf(revision.termStart)} to ${isoOf(revision.termEnd)}, ${revision.graceDays} days of grace`)
    for (const { model, versions, pin, audiences, purposes } of revision.terms.entitlements)
      io.out(`grants  ${model} ${versions}, pinned to ${pin}, for ${audiences.join(', ')} (${purposes.join(', ')})`)
    for (const act of facts.acts) io.out(`act     ${isoOf(act.effectiveAt)} ${act.act}: ${act.reason}`)
  }
  return 0
}

const shownRevision = (revision: LicenseFacts['revisions'][number]) => ({
  ...revision,
  effectiveAt: isoOf(revision.effectiveAt),
  termStart: isoOf(revision.termStart),
  termEnd: isoOf(revision.termEnd),
  graceEnds: isoOf(plusDays(revision.termEnd, revision.graceDays)),
})

const shownActs = (facts: LicenseFacts) =>
  facts.acts.map((act) => ({
    ...act,
    effectiveAt: isoOf(act.effectiveAt),
    until: act.until === undefined ? null : isoOf(act.until),
  }))

function wordsFor(refusal: ActRefusal): string {
  switch (refusal.reason) {
    case 'license_not_found':
      return `there is no license ${refusal.license}`
    case 'act_changes_nothing':
      return `${refusal.license} is ${refusal.state}; there is nothing to resume`
    case 'license_revoked_for_good':
      return `${refusal.license} is revoked, and that is for good: grant a new license`
    case 'until_is_past':
      return '--until lies in the past'
    default:
      return assertNever(refusal, 'a license refusal')
  }
}
