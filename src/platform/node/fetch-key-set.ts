import { request, type Agent } from 'undici'
import {
  fetchMsMax,
  keySetBytesMax,
  type FetchedKeySet,
  type FetchKeySet,
  type FetchRefusal,
} from '../../identity/index.ts'
import { err, ok, type Result } from '../../kernel/index.ts'
import { guardedAgent, isNotPublic, refusalOfAddress } from './guarded-agent.ts'

/** Fetches clients' key sets, from the internet only; in development also over plain http and from this machine. */
export function guardedFetch(options: { isDevelopment: boolean }): {
  fetchKeySet: FetchKeySet
  close(): Promise<void>
} {
  const agent = guardedAgent(options)
  return {
    async fetchKeySet(url) {
      const refusal = refusalOfAddress(url, options)
      if (refusal !== undefined) return err(refusal)
      try {
        return await get(agent, url)
      } catch (error) {
        return err(reasonOf(error))
      }
    },
    close: () => agent.destroy(),
  }
}

async function get(agent: Agent, url: string): Promise<Result<FetchedKeySet, FetchRefusal>> {
  const { statusCode, headers, body } = await request(url, {
    dispatcher: agent,
    headers: { accept: 'application/json, application/jwk-set+json' },
    signal: AbortSignal.timeout(fetchMsMax),
  })
  if (statusCode >= 300 && statusCode < 400) return refused(body, 'redirected')
  if (statusCode !== 200) return refused(body, 'status_not_ok')
  if (Number(headers['content-length'] ?? 0) > keySetBytesMax) return refused(body, 'too_large')
  const parts: Buffer[] = []
  let length = 0
  for await (const part of body) {
    if (!Buffer.isBuffer(part)) continue
    length += part.length
    if (length > keySetBytesMax) return refused(body, 'too_large')
    parts.push(part)
  }
  const control = headers['cache-control']
  return ok({
    text: Buffer.concat(parts).toString('utf8'),
    cacheControl: Array.isArray(control) ? control.join(', ') : control,
  })
}

/** What is not read is not waited for. */
function refused(body: { destroy(): unknown; on(event: 'error', ignore: () => void): unknown }, why: FetchRefusal) {
  body.on('error', () => {})
  body.destroy()
  return err(why)
}

function reasonOf(error: unknown): FetchRefusal {
  if (!(error instanceof Error)) return 'unreachable'
  if (isNotPublic(error)) return 'address_not_public'
  return /Timeout/i.test(error.name) ? 'too_slow' : 'unreachable'
}
