import { parseArgs } from 'node:util'
import { isoOf } from '../../kernel/index.ts'
import { systemTransaction, type Database } from '../../db/index.ts'
import { replayCall, untilUnfolded } from '../../metering/index.ts'
import { provideNodeCedar } from '../../platform/node/cedar.ts'
import { nodeLog } from '../../platform/node/log.ts'
import { reportMisuse, reportRefusal, type Io } from '../report.ts'

/** `formulary decision replay <request id>`: status 1 when the facts of then do not give what was recorded. */
export async function runDecision(
  args: readonly string[],
  io: Io & { readonly database: Database },
): Promise<0 | 1 | 2> {
  const { positionals } = parseArgs({ args: [...args], allowPositionals: true })
  const [verb, requestId, ...more] = positionals
  if (verb !== 'replay' || requestId === undefined || more.length > 0)
    return reportMisuse(io, 'which one? formulary decision replay <request id>')
  provideNodeCedar()
  await untilUnfolded(io.database)
  const replayed = await systemTransaction(io.database, 'administer', (tx) =>
    replayCall(tx, nodeLog('silent'), requestId),
  )
  if (replayed === undefined) return reportRefusal(io, 'call_not_found', `no call ${requestId} is recorded`)
  const { recorded, decision, isSame } = replayed
  const { license, revision, permit, reasons } = decision
  if (io.json) {
    const { outcome } = decision
    io.out(JSON.stringify({ isSame, recorded, decision: { outcome, license, revision, reasons } }))
    return isSame ? 0 : 1
  }
  io.out(
    `${requestId}: ${recorded.tenant}/${recorded.application} asked for ${recorded.model} at ${isoOf(recorded.at)}`,
  )
  io.out(`recorded  ${recorded.outcome}${wordsOf(recorded)}`)
  io.out(
    `again     ${decision.outcome}${wordsOf({ license, revision, policies: permit?.policies ?? [], reasons: reasons.map(({ reason }) => reason) })}`,
  )
  io.out(isSame ? 'The same.' : 'NOT the same.')
  return isSame ? 0 : 1
}

const wordsOf = (of: {
  readonly license: string | undefined
  readonly revision: number | undefined
  readonly policies: readonly string[]
  readonly reasons: readonly string[]
}): string =>
  of.reasons.length > 0
    ? `: ${of.reasons.join(', ')}`
    : ` by ${of.license}, revision ${of.revision}, policies ${of.policies.join(', ')}`
