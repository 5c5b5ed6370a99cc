import { createReadStream } from 'node:fs'
import { access, open, readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { parseArgs } from 'node:util'
import { assertNever } from '../../kernel/index.ts'
import { monthName, packPeriod, parseMonth, verifyPack, type EvidenceRefusal } from '../../billing/index.ts'
import { systemTransaction, type Database } from '../../db/index.ts'
import { nodeSha256 } from '../../platform/node/ports.ts'
import { reportMisuse, reportRefusal, type Io } from '../report.ts'

const howTo = 'formulary period evidence <license> --month 2026-10 --out file.tar [--reconciliation file]'

/** `formulary period evidence <license>`: what an auditor is given of a closed month, in one archive. */
export async function runEvidence(
  args: readonly string[],
  io: Io & { readonly database: Database },
): Promise<0 | 1 | 2> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { month: { type: 'string' }, out: { type: 'string' }, reconciliation: { type: 'string' } },
  })
  const [license, ...more] = positionals
  const { out, reconciliation } = values
  const period = parseMonth(values.month ?? '')
  if (license === undefined || more.length > 0 || period === undefined || out === undefined)
    return reportMisuse(io, howTo)
  const report =
    reconciliation === undefined ? undefined : await readFile(reconciliation, 'utf8').catch(() => undefined)
  if (reconciliation !== undefined && report === undefined) return reportMisuse(io, `${reconciliation} cannot be read`)
  return systemTransaction(io.database, 'bill', async (tx) => {
    const packed = await packPeriod(tx, {
      license,
      period,
      startSha256: nodeSha256,
      reconciliation: report === undefined ? undefined : { name: basename(reconciliation ?? ''), text: report },
    })
    if (!packed.ok) return reportRefusal(io, packed.error.reason, inWords(packed.error))
    const file = await open(out, 'w')
    try {
      await packed.value.write(async (bytes) => void (await file.write(bytes)))
    } finally {
      await file.close()
    }
    const { files, manifestSha256 } = packed.value
    if (io.json) io.out(JSON.stringify({ license, month: monthName(period), out, manifestSha256, files }))
    else {
      io.out(`${out}: ${files.length} files of ${monthName(period)} of ${license}`)
      io.out(`SHA-256 of its manifest: ${manifestSha256}`)
    }
    return 0
  })
}

/** `formulary period evidence --verify file.tar`: holds an archive against itself, without a server or a database. */
export async function runEvidenceVerify(args: readonly string[], io: Io): Promise<0 | 1 | 2> {
  const { values } = parseArgs({ args: [...args], options: { verify: { type: 'string' } } })
  const path = values.verify ?? ''
  const isThere = await access(path).then(
    () => true,
    () => false,
  )
  if (!isThere) return reportMisuse(io, `${path} cannot be read`)
  const verified = await verifyPack(createReadStream(path, { highWaterMark: 1_048_576 }), nodeSha256)
  if (verified === undefined) return reportRefusal(io, 'no_evidence', `${path} is no archive of period evidence`)
  const { license, month, invoice, manifestSha256, files, differences } = verified
  if (differences.length > 0) return reportRefusal(io, 'evidence_altered', differences.join('; '))
  if (io.json) io.out(JSON.stringify({ license, month, invoice: invoice ?? null, manifestSha256, files }))
  else {
    io.out(`${month} of ${license}: ${files} files are what the manifest names, and agree; ${invoice ?? 'no invoice'}.`)
    io.out(`SHA-256 of the manifest: ${manifestSha256}`)
  }
  return 0
}

function inWords(refusal: EvidenceRefusal): string {
  switch (refusal.reason) {
    case 'license_not_found':
      return `there is no license ${refusal.license}`
    case 'period_not_closed':
      return `${monthName(refusal.period)} of ${refusal.license} is not closed`
    case 'usage_differs':
      return `${monthName(refusal.period)} of ${refusal.license}: the calls of line ${refusal.line} are not what was frozen; formulary period verify says more`
    default:
      return assertNever(refusal, 'inWords')
  }
}
