import { expect } from 'vitest'
import { loadCorpus } from '../conformance/streams/load-corpus.ts'
import { until } from '../support/ledger.ts'
import { chat, exactKnobs, exactTokens, nth, openChat, piecesIn, tally, times, type Answer } from './calls.ts'
import type { Incident } from './incident.ts'
import type { LedgerEntry, Target, Tenant } from './target.ts'

/** What is written beside the answer, or by whoever finds a dead process, takes a moment. */
async function ledgerOf(target: Target, tenant: Tenant, count: number): Promise<readonly LedgerEntry[]> {
  let rows: readonly LedgerEntry[] = []
  await until(`${count} rows`, 10_000, async () => (rows = await target.ledgerOf(tenant)).length >= count)
  return rows
}

/** Dollars, from 3.00 for a million tokens in and 15.00 for a million out. */
const priceOf = ({ inputTokens, outputTokens }: LedgerEntry): number => (inputTokens * 3 + outputTokens * 15) / 1e6

/** Leaves a stream after so many pieces, and gives its id. */
async function leaveAfter(pieces: number, url: string, tenant: Tenant): Promise<string> {
  const call = openChat(url, tenant, { stream: true, model: 'wide', maxTokens: 1_000 })
  const { headers } = await call.head
  await until(`${pieces} pieces are here`, 10_000, () => piecesIn(call.received().toString()) >= pieces)
  call.leave()
  return String(headers['x-request-id'])
}

const slowAnswer = { chunks: 1_000, chunkMs: 5 }

export const meteringIncidents: readonly Incident[] = [
  {
    holds: 'an answer that ended, was left, broke off or died with its process has one row, priced as its tokens',
    broke: 'aborted stream: no row; then input only; then a wrong price',
    where: 'BerriAI/litellm PR#30630, PR#33736, PR#37558',
    needs: ['tenants', 'ledger'],
    async test(target) {
      const tenant = await target.newTenant({ tokens: 1_000_000 })
      const url = nth(target.urls, 0)
      const expected: Record<string, { outcome: string; outputTokensMin: number }> = {}

      target.host.setKnobs({ chunks: 8 })
      const whole = await chat(url, tenant, { stream: true, model: 'wide' })
      expected[whole.requestId] = { outcome: 'answered', outputTokensMin: 8 }

      target.host.setKnobs({ chunks: 12, errorEventAfterChunks: 6 })
      const failed = await chat(url, tenant, { stream: true, model: 'wide' })
      expected[failed.requestId] = { outcome: 'host_error', outputTokensMin: 6 }

      target.host.setKnobs({ errorEventAfterChunks: null, closeAfterChunks: 6 })
      const broken = await chat(url, tenant, { stream: true, model: 'wide' })
      expected[broken.requestId] = { outcome: 'host_closed', outputTokensMin: 6 }

      target.host.resetKnobs()
      target.host.setKnobs(slowAnswer)
      expected[await leaveAfter(10, url, tenant)] = { outcome: 'client_left', outputTokensMin: 10 }

      const dying = await target.start()
      const orphan = openChat(dying.url, tenant, { stream: true, model: 'wide', maxTokens: 1_000 })
      expected[String((await orphan.head).headers['x-request-id'])] = { outcome: 'expired', outputTokensMin: 1_000 }
      await dying.end('SIGKILL')

      const rows = await ledgerOf(target, tenant, 5)
      expect(new Set(rows.map(({ requestId }) => requestId))).toEqual(new Set(Object.keys(expected)))
      expect(rows).toHaveLength(5)
      for (const row of rows) {
        const { outcome, outputTokensMin } = expected[row.requestId] ?? { outcome: 'none', outputTokensMin: 0 }
        expect(row.outcome).toBe(outcome)
        expect(row.inputTokens, outcome).toBeGreaterThan(0)
        expect(row.outputTokens, outcome).toBeGreaterThanOrEqual(outputTokensMin)
        // Nobody knows what an orphan got: it holds its bound, and nobody pays for it until the host's log has been asked.
        expect(Number(row.charge), outcome).toBeCloseTo(outcome === 'expired' ? 0 : priceOf(row), 12)
      }
    },
  },
  {
    holds: 'who leaves before the final usage has used what was delivered',
    broke: 'a disconnect without final usage refunds everything',
    where: 'QuantumNous/new-api#5235',
    needs: ['tenants', 'ledger', 'budgets'],
    async test(target) {
      target.host.setKnobs({ ...slowAnswer, usage: 'absent' })
      const tenant = await target.newTenant({ tokens: 1_000_000 })
      const requestId = await leaveAfter(20, nth(target.urls, 0), tenant)
      const [row] = await ledgerOf(target, tenant, 1)
      expect(row).toMatchObject({ requestId, outcome: 'client_left' })
      expect(row?.outputTokens).toBeGreaterThanOrEqual(20)
      expect((await target.budgetOf(tenant)).used).toBe((row?.inputTokens ?? 0) + (row?.outputTokens ?? 0))
    },
  },
  {
    holds: 'a process that is told to stop, or is killed, takes no row of a delivered answer with it',
    broke: 'a recycled worker or SIGTERM drops queued rows',
    where: 'BerriAI/litellm#34805, #38157; maximhq/bifrost#3548',
    needs: ['tenants', 'ledger'],
    async test(target) {
      target.host.setKnobs(exactKnobs)
      const tenant = await target.newTenant()
      const whole: string[] = []
      for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
        const process = await target.start()
        const before = whole.length
        let isOver = false
        const callers = times(8, async (index) => {
          while (!isOver) {
            const answer = await chat(process.url, tenant, { stream: index % 2 === 0 }).catch(() => undefined)
            if (answer?.isWhole === true) whole.push(answer.requestId)
          }
        })
        await until('answers come', 10_000, () => whole.length >= before + 40)
        const ended = process.end(signal)
        isOver = true
        await Promise.all([ended, ...callers])
      }
      // It was written before; what a dead process had written, others bring into the ledger.
      await until('every row is there', 10_000, async () => {
        const known = new Set((await target.ledgerOf(tenant)).map(({ requestId }) => requestId))
        return whole.every((requestId) => known.has(requestId))
      })
      const rowsOf = Map.groupBy(await target.ledgerOf(tenant), ({ requestId }) => requestId)
      expect(whole.filter((requestId) => rowsOf.get(requestId)?.length !== 1)).toEqual([])
      expect(whole.filter((requestId) => rowsOf.get(requestId)?.[0]?.outcome !== 'answered')).toEqual([])
    },
  },
  {
    holds: 'of a usage that grows from chunk to chunk the last one counts, and no sum',
    broke: 'usage in every chunk summed: ten times too much',
    where: 'langfuse/langfuse#8808',
    needs: ['tenants', 'ledger'],
    async test(target) {
      // Where there is room for a sum: a bound would hide it.
      target.host.setKnobs({ ...exactKnobs, usage: 'everyChunk' })
      const tenant = await target.newTenant()
      const wish = { model: 'wide', maxTokens: 1_000, stream: true }
      expect(tally([await chat(nth(target.urls, 0), tenant, wish)])).toEqual({ whole: 1 })
      expect(await target.ledgerOf(tenant)).toMatchObject([{ inputTokens: 80, outputTokens: 20 }])
    },
  },
  {
    holds: 'input and output are counted in every shape of stream that hosts are known to send',
    broke: 'Anthropic-style streams counted output only',
    where: 'apache/apisix#13662',
    needs: ['tenants', 'ledger'],
    async test(target) {
      const tenant = await target.newTenant()
      const cases = loadCorpus().filter(
        ({ expect: wanted }) => wanted.usageSource === 'host' && wanted.outcome === 'answered',
      )
      expect(cases.length).toBeGreaterThan(20)
      for (const { name, writes, end, callerAskedForUsage, expect: wanted } of cases) {
        target.host.setKnobs({ script: [...writes], scriptEnd: end })
        const answer = await chat(nth(target.urls, 0), tenant, {
          model: 'wide',
          maxTokens: 1_000,
          stream: true,
          members: { n: 2, ...(callerAskedForUsage ? { stream_options: { include_usage: true } } : {}) },
        })
        const row = (await target.ledgerOf(tenant)).find(({ requestId }) => requestId === answer.requestId)
        const counted = { inputTokens: row?.inputTokens, outputTokens: row?.outputTokens }
        const { inputTokens, outputTokens } = wanted
        expect(counted, name).toEqual({ inputTokens, outputTokens })
      }
    },
  },
  {
    holds:
      'a call that was tried twice is one request with two attempts, known to the host by the same id, billed once',
    broke: 'a retried call is billed twice; ids are rewritten, so that nothing can tell',
    where: 'BerriAI/litellm#15740',
    needs: ['tenants', 'ledger'],
    async test(target) {
      target.host.setKnobs({ ...exactKnobs, status: 500, statusTimes: 1 })
      const tenant = await target.newTenant({ tokens: 1_000 })
      const answer = await chat(nth(target.urls, 0), tenant, { model: 'pair' })
      expect(tally([answer])).toEqual({ whole: 1 })
      const rows = await ledgerOf(target, tenant, 2)
      expect(rows).toMatchObject([
        { requestId: answer.requestId, attempt: 1, outcome: 'host_error', outputTokens: 0 },
        { requestId: answer.requestId, attempt: 2, outcome: 'answered', inputTokens: 80, outputTokens: 20 },
      ])
      expect(rows.map(({ charge }) => Number(charge))).toEqual([0, expect.closeTo(0.00054, 12)])
      expect(target.host.usage().map(({ requestId, attempt }) => [requestId, attempt])).toEqual(
        rows.map(({ requestId, attempt }) => [requestId, attempt]),
      )
      expect((await target.budgetOf(tenant)).used).toBe(exactTokens)
    },
  },
  {
    holds: 'every attempt that the host knows stands in the ledger under the same id, with the cause of its end',
    broke: '47 % of the host spend invisible: timeouts are billed by the host',
    where: 'aiosbrain/aios-team-brain#450',
    needs: ['tenants', 'ledger'],
    async test(target) {
      const tenant = await target.newTenant({ tokens: 1_000_000 })
      const url = nth(target.urls, 0)
      const endings = [
        { knobs: {}, outcome: 'answered' },
        { knobs: { status: 500 }, outcome: 'host_error' },
        { knobs: { status: 422 }, outcome: 'host_refused' },
        { knobs: { closeBeforeHeaders: true }, outcome: 'host_error' },
        { knobs: { stallBeforeHeaders: true }, outcome: 'host_timeout' },
        { knobs: { stallAfterChunks: 3 }, outcome: 'host_timeout' },
        { knobs: { closeAfterChunks: 3 }, outcome: 'host_closed' },
      ]
      const outcomes: Record<string, string> = {}
      for (const { knobs, outcome } of endings) {
        target.host.setKnobs(knobs)
        outcomes[(await chat(url, tenant, { stream: true, model: 'wide' })).requestId] = outcome
        target.host.resetKnobs()
      }
      target.host.setKnobs(slowAnswer)
      outcomes[await leaveAfter(3, url, tenant)] = 'client_left'
      const rows = await ledgerOf(target, tenant, endings.length + 1)
      expect(Object.fromEntries(rows.map((row) => [row.requestId, row.outcome]))).toEqual(outcomes)
      await until('the host has written all of its log', 5_000, () => target.host.stats().open === 0)
      const known = new Set(rows.map(({ requestId, attempt }) => `${requestId}/${attempt}`))
      const unknown = target.host.usage().filter(({ requestId, attempt }) => !known.has(`${requestId}/${attempt}`))
      expect(unknown).toEqual([])
      // What the host bills for a caller that it was cut off from is not free here.
      const billed = target.host.usage().filter(({ outputTokens }) => outputTokens > 0)
      const used = new Map(rows.map((row) => [row.requestId, row.outputTokens]))
      for (const { requestId } of billed) expect(used.get(requestId ?? '')).toBeGreaterThan(0)
    },
  },
  {
    holds: 'a debit that fails halfway and is sent again counts once: not never, and not twice',
    broke: 'the dedup claims the id before the write: a retry counts zero',
    where: 'openmeterio/openmeter#5118',
    needs: ['tenants', 'ledger', 'budgets', 'database'],
    async test(target) {
      target.host.setKnobs(exactKnobs)
      const tenant = await target.newTenant({ tokens: 1_000_000 })
      let answers: readonly Answer[] = []
      await target.withDebitsBroken(3, '57014', async () => {
        answers = await Promise.all(times(12, (index) => chat(nth(target.urls, index), tenant)))
        await ledgerOf(target, tenant, 12)
      })
      expect(tally(answers)).toEqual({ whole: 12 })
      const rows = await target.ledgerOf(tenant)
      expect(new Set(rows.map(({ requestId }) => requestId))).toEqual(
        new Set(answers.map(({ requestId }) => requestId)),
      )
      expect(rows).toHaveLength(12)
      expect((await target.budgetOf(tenant)).used).toBe(12 * exactTokens)
    },
  },
  {
    holds: 'a stream is never free: usage is asked of the host whatever the caller says, and estimated if none comes',
    broke: 'a stream without a usage chunk is charged zero, and callers can ask for it',
    where: 'BerriAI/litellm PR#35290, defilantech/LLMKube#1852, praxis-proxy/ai#770',
    needs: ['tenants', 'ledger', 'budgets'],
    async test(target) {
      const tenant = await target.newTenant({ tokens: 1_000_000 })
      const url = nth(target.urls, 0)
      for (const usage of ['honest', 'absent', 'null', 'zero', 'negative', 'huge'] as const) {
        target.host.setKnobs({ ...exactKnobs, usage })
        const wish = { stream: true, members: { stream_options: { include_usage: false } } }
        const answer = await chat(url, tenant, wish)
        expect(tally([answer]), usage).toEqual({ whole: 1 })
        expect(JSON.parse(target.host.last()?.body.toString() ?? '')).toMatchObject({
          stream_options: { include_usage: true },
        })
        // The caller did not ask for it and does not get it.
        expect(answer.text, usage).not.toContain('"usage":{')
        const row = (await target.ledgerOf(tenant)).find(({ requestId }) => requestId === answer.requestId)
        expect(row?.inputTokens, usage).toBeGreaterThan(0)
        expect(row?.outputTokens, usage).toBeGreaterThan(0)
        expect((row?.inputTokens ?? 0) + (row?.outputTokens ?? 0), usage).toBeLessThanOrEqual(exactTokens)
      }
    },
  },
]
