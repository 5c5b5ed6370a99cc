import { isoOf, type Instant } from '../../kernel/index.ts'
import { systemTransaction, type Database } from '../../db/index.ts'
import { graceEnd, licenseAsOf, loadLicenses, type LicenseFacts, type LicenseRevision } from '../../licensing/index.ts'
import { reportRefusal, type Io } from '../report.ts'
import { actInWords } from './license-words.ts'

interface LicenseIo extends Io {
  readonly database: Database
}

/** A license as it stood at an instant, as far as that was known at another. */
export async function showLicense(
  io: LicenseIo,
  license: string,
  when: { at: Instant; knownAt: Instant },
): Promise<0 | 1> {
  const facts = await factsOf(io, license)
  const asOf = facts === undefined ? undefined : licenseAsOf(facts, when)
  if (facts === undefined || asOf === undefined)
    return reportRefusal(io, 'license_not_found', actInWords({ reason: 'license_not_found', license }))
  const { revision, overdue } = asOf
  const { state } = asOf.state
  const acts = facts.acts.filter(({ effectiveAt, recordedAt }) => effectiveAt <= when.at && recordedAt <= when.knownAt)
  if (io.json) {
    io.out(JSON.stringify({ license, state, revision: shownRevision(revision), acts: acts.map(shownAct), overdue }))
    return 0
  }
  io.out(`${license} is ${state}, revision ${revision.revision}, plan ${revision.plan}`)
  io.out(`term    ${isoOf(revision.termStart)} to ${isoOf(revision.termEnd)}, ${revision.graceDays} days of grace`)
  for (const { model, versions, pin, audiences, purposes } of revision.terms.entitlements)
    io.out(`grants  ${model} ${versions}, pinned to ${pin}, for ${audiences.join(', ')} (${purposes.join(', ')})`)
  for (const { kind, dueAt } of overdue) io.out(`overdue ${kind}, since ${isoOf(dueAt)}`)
  for (const act of acts) io.out(`act     ${isoOf(act.effectiveAt)} ${act.act}: ${act.reason}`)
  return 0
}

/** Everything that was recorded of a license, in the order in which it was. */
export async function showHistory(io: LicenseIo, license: string): Promise<0 | 1> {
  const facts = await factsOf(io, license)
  if (facts === undefined)
    return reportRefusal(io, 'license_not_found', actInWords({ reason: 'license_not_found', license }))
  const { revisions, acts, attestations } = facts
  if (io.json) {
    const shown = attestations.map((given) => ({
      ...given,
      attestedAt: isoOf(given.attestedAt),
      validUntil: given.validUntil === undefined ? null : isoOf(given.validUntil),
      recordedAt: isoOf(given.recordedAt),
    }))
    io.out(
      JSON.stringify({
        license,
        revisions: revisions.map(shownRevision),
        acts: acts.map(shownAct),
        attestations: shown,
      }),
    )
    return 0
  }
  const lines = [
    ...revisions.map((one) => ({
      at: one.recordedAt,
      text: `revision ${one.revision} from ${isoOf(one.effectiveAt)}${one.isCorrection ? ' (correction)' : ''}, by ${one.recordedBy}${one.approvedBy === undefined ? '' : `, approved by ${one.approvedBy}`}`,
    })),
    ...acts.map((one) => ({
      at: one.recordedAt,
      text: `${one.act} from ${isoOf(one.effectiveAt)}${one.until === undefined ? '' : ` until ${isoOf(one.until)}`}, by ${one.recordedBy}: ${one.reason}`,
    })),
    ...attestations.map((one) => ({
      at: one.recordedAt,
      text: `${one.kind} attested at ${isoOf(one.attestedAt)}${one.validUntil === undefined ? '' : ` until ${isoOf(one.validUntil)}`}, taken down by ${one.recordedBy}`,
    })),
  ]
  for (const { at, text } of lines.toSorted((a, b) => a.at - b.at)) io.out(`${isoOf(at)}  ${text}`)
  return 0
}

const factsOf = async (io: LicenseIo, license: string): Promise<LicenseFacts | undefined> =>
  (await systemTransaction(io.database, 'administer', (tx) => loadLicenses(tx, 'all'))).find(
    (candidate) => candidate.license === license,
  )

const shownRevision = (revision: LicenseRevision) => ({
  ...revision,
  effectiveAt: isoOf(revision.effectiveAt),
  recordedAt: isoOf(revision.recordedAt),
  termStart: isoOf(revision.termStart),
  termEnd: isoOf(revision.termEnd),
  graceEnds: isoOf(graceEnd(revision)),
})

const shownAct = (act: LicenseFacts['acts'][number]) => ({
  ...act,
  effectiveAt: isoOf(act.effectiveAt),
  recordedAt: isoOf(act.recordedAt),
  until: act.until === undefined ? null : isoOf(act.until),
})
