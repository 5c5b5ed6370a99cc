import { parseArgs } from 'node:util'
import { assertNever, instant, isoOf, plusDays, type Instant } from '../../kernel/index.ts'
import { systemTransaction, type Database } from '../../db/index.ts'
import {
  actOnLicense,
  licenseState,
  loadLicenses,
  revisionAt,
  type ActRefusal,
  type LicenseFacts,
} from '../../licensing/index.ts'

export interface LicenseIo {
  out(line: string): void
  err(line: string): void
  readonly json: boolean
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
  const [verb, license] = positionals
  if (license === undefined || positionals.length !== 2) return misused(io)
  switch (verb) {
    case 'show':
      return show(io, license)
    case 'suspend':
    case 'revoke':
    case 'resume': {
      if (values.reason === undefined) {
        io.err(`formulary: say why: formulary license ${verb} ${license} --reason "…"`)
        return 2
      }
      const untilMs = values.until === undefined ? undefined : Date.parse(values.until)
      if (Number.isNaN(untilMs)) {
        io.err('formulary: --until must be a time such as 2026-12-01T00:00:00Z')
        return 2
      }
      const until = untilMs === undefined ? undefined : instant(untilMs)
      const wish = { license, act: verb, reason: values.reason, until, by: 'cli', now: io.now }
      const acted = await systemTransaction(io.database, 'administer', (tx) => actOnLicense(tx, wish))
      if (!acted.ok) {
        io.err(`formulary: ${wordsFor(acted.error)}`)
        return 1
      }
      const { tenant, state } = acted.value
      io.out(io.json ? JSON.stringify({ license, tenant, state: state.state }) : `${license} of ${tenant} is ${state.state}.`)
      return 0
    }
    default:
      return misused(io)
  }
}

async function show(io: LicenseIo, license: string): Promise<0 | 1> {
  const all = await systemTransaction(io.database, 'administer', (tx) => loadLicenses(tx, 'all'))
  const facts = all.find((candidate) => candidate.license === license)
  const revision = facts === undefined ? undefined : (revisionAt(facts, io.now) ?? facts.revisions[0])
  if (facts === undefined || revision === undefined) {
    io.err(`formulary: there is no license ${license}`)
    return 1
  }
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
  facts.acts.map((act) => ({ ...act, effectiveAt: isoOf(act.effectiveAt), until: act.until === undefined ? null : isoOf(act.until) }))

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

function misused(io: LicenseIo): 2 {
  io.err('usage: formulary license show|suspend|resume|revoke <license> [--reason "…"] [--until time]')
  return 2
}
