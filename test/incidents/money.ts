import { expect } from 'vitest'
import { until } from '../support/ledger.ts'
import { chat, exactKnobs, exactTokens, nth, openChat, tally, times, type Answer } from './calls.ts'
import type { Incident } from './incident.ts'
import type { Target, Tenant } from './target.ts'

/** Three lease times of the longest that a target has: by then whatever a dead process held is free again. */
const settledWithinMs = 10_000

/** An answer that takes longer than any call waits for a slot, and is never silent. */
const drip = { chunks: 20, chunkMs: 1_000 }

const exactCalls = (target: Target, tenant: Tenant, count: number): Promise<Answer[]> =>
  Promise.all(times(count, (index) => chat(nth(target.urls, index), tenant)))

/** Waits until nothing of a budget is held, and says what is used. */
async function usedWhenSettled(target: Target, tenant: Tenant): Promise<number> {
  await until('nothing is held', settledWithinMs, async () => (await target.budgetOf(tenant)).held === 0)
  return (await target.budgetOf(tenant)).used
}

/** Everything that can go wrong between a caller and a model host, one call each. None of it delivers anything. */
async function failInEveryWay(target: Target, tenant: Tenant): Promise<void> {
  const url = nth(target.urls, 0)
  for (const knobs of [{ status: 500 }, { status: 429 }, { closeBeforeHeaders: true }, { stallBeforeHeaders: true }]) {
    target.host.setKnobs(knobs)
    expect((await chat(url, tenant)).status).not.toBe(200)
    target.host.resetKnobs()
  }
}

export const moneyIncidents: readonly Incident[] = [
  {
    holds: 'fifty callers at once, each good for 100 tokens, on a balance of 1,000: ten answers and 1,000 used',
    broke: '50 callers × 100 on a balance of 1,000: 5,000 used',
    where: 'QuantumNous/new-api#5690, songquanpeng/one-api#2440',
    needs: ['tenants', 'budgets'],
    async test(target) {
      target.host.setKnobs(exactKnobs)
      const tenant = await target.newTenant({ tokens: 1_000 })
      const url = nth(target.urls, 0)
      const answers = await Promise.all(times(50, () => chat(url, tenant)))
      expect(tally(answers)).toEqual({ whole: 10, '429 insufficient_quota': 40 })
      expect(target.host.usage()).toHaveLength(10)
      expect(await target.budgetOf(tenant)).toMatchObject({ limit: 1_000, used: 1_000 })
    },
  },
  {
    holds: 'all processes together admit what one budget allows',
    broke: 'N replicas spend N × the cap',
    where: 'maximhq/bifrost#3547',
    needs: ['tenants', 'budgets'],
    async test(target) {
      target.host.setKnobs(exactKnobs)
      const tenant = await target.newTenant({ tokens: 1_000 })
      expect(target.urls.length).toBeGreaterThan(1)
      const answers = await exactCalls(target, tenant, 30 * target.urls.length)
      expect(tally(answers)).toEqual({ whole: 10, '429 insufficient_quota': 30 * target.urls.length - 10 })
      expect(target.host.usage()).toHaveLength(10)
    },
  },
  {
    holds: 'what a minute allows is taken before the host is called, on all processes together',
    broke: '663 tokens served against 100 a minute',
    where: 'BerriAI/litellm#18730',
    needs: ['tenants', 'rates'],
    async test(target) {
      target.host.setKnobs(exactKnobs)
      const tenant = await target.newTenant({ tokensPerMinute: 1_000 })
      const answers = await exactCalls(target, tenant, 60)
      const { whole = 0, ...refused } = tally(answers)
      expect(Object.keys(refused)).toEqual(['429 rate_limit_exceeded'])
      expect(whole).toBeGreaterThan(0)
      expect(target.host.usage().length * exactTokens).toBeLessThanOrEqual(1_000)
    },
  },
  {
    holds: 'while no debit can be written, no more is admitted than the balance is worth',
    broke: 'a customer spent several times its credits while debits sat in a queue',
    where: 'theopenco/llmgateway PR#3751',
    needs: ['tenants', 'budgets', 'database'],
    async test(target) {
      target.host.setKnobs(exactKnobs)
      const tenant = await target.newTenant({ tokens: 1_000 })
      const other = await target.newTenant()
      const calls = await target.whileDebitsWait(async () => {
        const asked = times(40, (index) => openChat(nth(target.urls, index), tenant, { stream: true }))
        await until('ten are with the host', 10_000, () => target.host.usage().length >= 10)
        // Whoever else could be admitted would be, by the time that each process has done this.
        for (const url of target.urls) await openChat(url, other, { stream: true }).head
        expect(target.host.usage()).toHaveLength(10 + target.urls.length)
        return asked
      })
      const heads = await Promise.all(calls.map(({ head }) => head))
      expect(heads.filter(({ status }) => status === 200)).toHaveLength(10)
      expect(await usedWhenSettled(target, tenant)).toBe(1_000)
    },
  },
  {
    holds:
      'nothing is held for calls that failed, were left or died with their process, and the rest can be used whole',
    broke: 'phantom holds: 429 with nothing spent, cycling every 4 minutes',
    where: 'BerriAI/litellm#27639, #36926, PR#29493',
    needs: ['tenants', 'budgets'],
    async test(target) {
      target.host.setKnobs(exactKnobs)
      const tenant = await target.newTenant({ tokens: 2_000 })
      await failInEveryWay(target, tenant)

      const dying = await target.start()
      target.host.setKnobs({ ...exactKnobs, ...drip })
      const left = times(3, () => openChat(nth(target.urls, 0), tenant, { stream: true }))
      const orphans = times(5, () => openChat(dying.url, tenant, { stream: true }))
      await Promise.all([...left, ...orphans].map(({ head }) => head))
      for (const call of left) call.leave()
      await dying.end('SIGKILL')
      target.host.resetKnobs()
      target.host.setKnobs(exactKnobs)

      const used = await usedWhenSettled(target, tenant)
      expect(used).toBeLessThanOrEqual(8 * exactTokens)
      const affordable = Math.floor((2_000 - used) / exactTokens)
      const answers = await exactCalls(target, tenant, affordable + 5)
      expect(tally(answers)).toEqual({ whole: affordable, '429 insufficient_quota': 5 })
    },
  },
  {
    holds: 'who names no max_tokens gets the shorter answer that is left, and the host is told so',
    broke: 'no `max_tokens`: a floor larger than the small limit, and the first call is always refused',
    where: 'BerriAI/litellm PR#28805',
    needs: ['tenants', 'budgets'],
    async test(target) {
      const tenant = await target.newTenant({ tokens: 700 })
      const answer = await chat(nth(target.urls, 0), tenant, { model: 'wide', maxTokens: null })
      expect(tally([answer])).toEqual({ whole: 1 })
      const { max_tokens: told } = JSON.parse(target.host.last()?.body.toString() ?? '{}')
      expect(told).toBeGreaterThanOrEqual(256)
      expect(told).toBeLessThan(700)
    },
  },
  {
    holds: 'a slot comes back from every end of a call: error, timeout, a caller that leaves, a process that dies',
    broke: 'a concurrency slot never returned after a timeout or an abort; Redis had to be restarted',
    where: 'BerriAI/litellm#20256, PR#28160',
    needs: ['tenants', 'slots'],
    async test(target) {
      const tenant = await target.newTenant({ concurrency: 2, tokens: 1_000_000 })
      await failInEveryWay(target, tenant)
      const dying = await target.start()
      target.host.setKnobs(drip)
      const left = openChat(nth(target.urls, 0), tenant, { stream: true })
      await left.head
      const orphan = openChat(dying.url, tenant, { stream: true })
      await orphan.head
      left.leave()
      await dying.end('SIGKILL')
      await usedWhenSettled(target, tenant)

      // Both slots at once, and not a third one.
      const both = times(2, (index) => openChat(nth(target.urls, index), tenant, { stream: true }))
      expect(await Promise.all(both.map(async ({ head }) => (await head).status))).toEqual([200, 200])
      expect((await chat(nth(target.urls, 2), tenant)).code).toBe('concurrency_limit_exceeded')
      for (const call of both) call.leave()
    },
  },
  {
    holds: 'two keys of an overlap spend one budget',
    broke: 'key rotation copies the remaining credits: the quota doubles during the overlap',
    where: 'unkeyed/unkey, reroll of a key',
    needs: ['tenants', 'budgets'],
    async test(target) {
      target.host.setKnobs(exactKnobs)
      const old = await target.newTenant({ tokens: 1_000 })
      expect(tally(await exactCalls(target, old, 4))).toEqual({ whole: 4 })
      const rotated = await target.rotateKey(old)
      const answers = await Promise.all(times(20, (index) => chat(nth(target.urls, index), nth([old, rotated], index))))
      expect(tally(answers)).toEqual({ whole: 6, '429 insufficient_quota': 14 })
      expect(new Set(await target.ledgerOf(rotated))).toEqual(new Set(await target.ledgerOf(old)))
    },
  },
  {
    holds: 'a debit that the database ends as a deadlock is made again: nothing is dropped, nothing counts twice',
    broke: 'deadlocks drop increments silently',
    where: 'BerriAI/litellm PR#34887, #27989',
    needs: ['tenants', 'budgets', 'ledger', 'database'],
    async test(target) {
      target.host.setKnobs(exactKnobs)
      const tenant = await target.newTenant({
        tokens: 1_000_000,
        budgets: [
          { meter: 'requests', limit: 1_000, per: 'day' },
          { meter: 'output_tokens', limit: 1_000_000, per: 'term' },
        ],
      })
      await target.withDebitsBroken(4, '40P01', async () => {
        expect(tally(await exactCalls(target, tenant, 30))).toEqual({ whole: 30 })
        await until('thirty rows', settledWithinMs, async () => (await target.ledgerOf(tenant)).length >= 30)
      })
      expect(await target.ledgerOf(tenant)).toHaveLength(30)
      expect(await target.budgetOf(tenant)).toMatchObject({ used: 30 * exactTokens })
      expect(await target.budgetOf(tenant, 'requests/day')).toMatchObject({ used: 30 })
      expect(await target.budgetOf(tenant, 'output_tokens/term')).toMatchObject({ used: 30 * 20 })
    },
  },
  {
    holds: 'calls are answered while somebody else holds the rows in which budgets are counted',
    broke: 'counter rows locked at 500 requests a second: tails of 5 to 8 s',
    where: 'BerriAI/litellm#31866',
    needs: ['tenants', 'budgets', 'database'],
    async test(target) {
      target.host.setKnobs(exactKnobs)
      const tenant = await target.newTenant({ tokens: 1_000_000_000 })
      const calls = () => exactCalls(target, tenant, 12)
      expect(tally(await calls())).toEqual({ whole: 12 })
      await target.whileCountersAreLocked(tenant, async () => {
        expect(tally(await calls())).toEqual({ whole: 12 })
        await until('all rows are there', settledWithinMs, async () => (await target.ledgerOf(tenant)).length === 24)
      })
    },
  },
  {
    holds: 'declaring everything again, and a process that starts, leave what was used as it is',
    broke: 'the config sync at the start wrote usage = 0',
    where: 'maximhq/bifrost#5925',
    needs: ['tenants', 'budgets'],
    async test(target) {
      target.host.setKnobs(exactKnobs)
      const tenant = await target.newTenant({ tokens: 1_000 })
      expect(tally(await exactCalls(target, tenant, 6))).toEqual({ whole: 6 })
      await target.declareAgain()
      const started = await target.start()
      expect((await target.budgetOf(tenant)).used).toBe(600)
      const answers = await Promise.all(times(10, () => chat(started.url, tenant)))
      expect(tally(answers)).toEqual({ whole: 4, '429 insufficient_quota': 6 })
      await started.end('SIGTERM')
      expect((await target.budgetOf(tenant)).used).toBe(1_000)
    },
  },
  {
    holds: 'every way of calling counts against the budget: chat, streams, embeddings, predictions',
    broke: 'budgets counted one route of the API and not the others',
    where: 'BerriAI/litellm#38176',
    needs: ['tenants', 'budgets'],
    async test(target) {
      const tenant = await target.newTenant({ budgets: [{ meter: 'requests', limit: 4, per: 'day' }] })
      const predict = {
        path: '/v2/models/predictor/infer',
        body: JSON.stringify({
          inputs: [{ name: 'ecg', shape: [1, 12, 1], datatype: 'FP32', data: times(12, () => 1) }],
        }),
      }
      const embed = { path: '/v1/embeddings', body: JSON.stringify({ model: 'wide', input: 'Chest pain' }) }
      const wishes = [{}, { stream: true }, embed, predict]
      for (const [index, wish] of wishes.entries())
        expect((await chat(nth(target.urls, index), tenant, wish)).status).toBe(200)
      for (const wish of wishes) expect((await chat(nth(target.urls, 0), tenant, wish)).code).toBe('insufficient_quota')
    },
  },
  {
    holds: 'several answers to one question are several answers in the budget',
    broke: 'eight images of one request were charged as one',
    where: 'Wei-Shaw/sub2api#1994, QuantumNous/new-api PR#3519',
    needs: ['tenants', 'budgets', 'ledger'],
    async test(target) {
      // 20 tokens for each of three answers.
      target.host.setKnobs({ ...exactKnobs, completionTokens: null })
      const tenant = await target.newTenant({ tokens: 80 + 3 * 20 })
      const url = nth(target.urls, 0)
      expect((await chat(url, tenant, { members: { n: 4 } })).code).toBe('insufficient_quota')
      expect(tally([await chat(url, tenant, { members: { n: 3 } })])).toEqual({ whole: 1 })
      expect(await target.ledgerOf(tenant)).toMatchObject([{ outputTokens: 60 }])
      for (const n of [-1, 0, 1.5, '1', 1e9])
        expect((await chat(url, await target.newTenant(), { members: { n } })).status, String(n)).toBe(400)
    },
  },
]
