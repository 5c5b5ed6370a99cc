import { RateLimiterMemory, RateLimiterPostgres, RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible'
import { Failure } from '../kernel/index.ts'
import type { RateStore } from './rate-pocket.ts'

type Limiter = RateLimiterPostgres | RateLimiterRedis | RateLimiterMemory

/** How to make a limiter with so many points per minute, counting in the shared store. */
export type MakeLimiter = (limit: number) => Limiter

export const windowSeconds = 60

/** A store that failed is left alone for so long, so that not every call waits for it. */
const aloneMs = 2_000

/** Counts in the UNLOGGED table `rate_window`, made by our migration. `pool` is a pg pool of the system's scope. */
export const postgresLimiter =
  (pool: unknown): MakeLimiter =>
  (limit) =>
    new RateLimiterPostgres({
      storeClient: pool,
      storeType: 'pool',
      tableName: 'rate_window',
      tableCreated: true,
      clearExpiredByTimeout: false,
      keyPrefix: '',
      points: limit,
      duration: windowSeconds,
    })

/** Counts in Redis. `client` is a connected node-redis or ioredis client. */
export const redisLimiter =
  (client: unknown): MakeLimiter =>
  (limit) =>
    new RateLimiterRedis({
      storeClient: client,
      keyPrefix: 'formulary:rate',
      points: limit,
      duration: windowSeconds,
      useRedisPackage: true,
      rejectIfRedisNotReady: true,
    })

/**
 * Windows counted by rate-limiter-flexible. It counts a refused request as well and refuses by rejecting with a value
 * that is no error; both are mended here, once: what was refused is given back. When the store is away, the window is
 * counted in this process alone: a rate protects the model host, it is not money, and an outage of ours must not refuse.
 */
export function rateStore(makeLimiter: MakeLimiter, onStoreFailure: (failure: Failure) => void): RateStore {
  let aloneUntil = 0
  const storeFailed = (cause: unknown) => {
    aloneUntil = performance.now() + aloneMs
    onStoreFailure(new Failure('rate_store', 'the rate store cannot be reached', { retryable: true, cause }))
  }
  const limiters = new Map<number, { shared: Limiter; alone: RateLimiterMemory }>()
  const limiterFor = (limit: number) => {
    let pair = limiters.get(limit)
    if (pair === undefined) {
      pair = {
        shared: makeLimiter(limit),
        alone: new RateLimiterMemory({ keyPrefix: '', points: limit, duration: windowSeconds }),
      }
      limiters.set(limit, pair)
    }
    return pair
  }
  return {
    async take({ key, limit, points }) {
      const { shared, alone } = limiterFor(limit)
      if (performance.now() < aloneUntil) return takeFrom(alone, key, limit, points)
      try {
        return await takeFrom(shared, key, limit, points)
      } catch (error) {
        storeFailed(error)
        return takeFrom(alone, key, limit, points)
      }
    },
    async giveBack({ key, limit, points }) {
      try {
        await limiterFor(limit).shared.reward(key, points)
      } catch (error) {
        // The window ends within a minute, and until then somewhat less is allowed.
        storeFailed(error)
      }
    },
  }
}

async function takeFrom(limiter: Limiter, key: string, limit: number, points: number) {
  try {
    const answer = await limiter.consume(key, points)
    return { taken: true, left: answer.remainingPoints, endsInMs: answer.msBeforeNext }
  } catch (refused) {
    if (!(refused instanceof RateLimiterRes)) throw refused
    await limiter.reward(key, points)
    const left = Math.max(0, limit - (refused.consumedPoints - points))
    return { taken: false, left, endsInMs: refused.msBeforeNext }
  }
}
