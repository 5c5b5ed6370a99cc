import { err, Failure, requestName, type Result } from '../kernel/index.ts'
import type { Asking, Gateway } from './gateway.ts'
import type { Refusal } from './refusal.ts'

/**
 * The last resort of every route. A broken dependency is 503 with Retry-After, never 401 or 403; a bug is 500. What
 * happened inside stands in the log under the request id, and the caller reads only that.
 */
export async function orBroken<T>(
  gateway: Gateway,
  asking: Asking,
  work: () => Promise<Result<T, readonly Refusal[]>>,
): Promise<Result<T, readonly Refusal[]>> {
  try {
    return await work()
  } catch (error) {
    const request = requestName(asking.requestId)
    if (error instanceof Failure) {
      gateway.log.warn('call.failed', { request, dependency: error.dependency, why: error.message })
      return err([{ reason: 'unavailable', retryAfterSeconds: 2 }])
    }
    gateway.log.error('call.bug', { request }, error)
    return err([{ reason: 'bug' }])
  }
}
