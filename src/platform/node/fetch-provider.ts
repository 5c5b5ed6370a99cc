import { Agent, request } from 'undici'
import { fetchMsMax, ProviderAway, type ProviderFetch } from '../../identity/index.ts'
import { guardedAgent, refusalOfAddress } from './guarded-agent.ts'

/** Discovery, keys, tokens and claims: none is longer. */
const answerBytesMax = 256 * 1024

/**
 * Asks identity providers. Those of hospitals are on the internet, by https, and nowhere else: whoever declares one must not
 * make us knock at doors inside. The owner's own may be inside. No redirect is followed.
 */
export function guardedProviderFetch(options: { isDevelopment: boolean }): {
  fetchProvider: ProviderFetch
  close(): Promise<void>
} {
  const outside = guardedAgent(options)
  const anywhere = new Agent({ connections: 8, connect: { timeout: fetchMsMax }, keepAliveTimeout: 1 })
  return {
    async fetchProvider(url, { method, headers, body, mayBeInside, signal }) {
      const refusal = refusalOfAddress(url, options)
      if (refusal === 'address_not_https' || (refusal !== undefined && !mayBeInside)) throw new ProviderAway(refusal)
      const timeout = AbortSignal.timeout(2 * fetchMsMax)
      const answer = await request(url, {
        method: method === 'POST' ? 'POST' : 'GET',
        headers: { ...headers },
        ...(body === undefined ? {} : { body }),
        dispatcher: mayBeInside ? anywhere : outside,
        headersTimeout: fetchMsMax,
        bodyTimeout: fetchMsMax,
        signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
      }).catch((error: unknown) => {
        throw new ProviderAway('no answer', { cause: error })
      })
      return new Response(await read(answer.body), {
        status: answer.statusCode,
        headers: Object.entries(answer.headers).flatMap(([name, value]): [string, string][] =>
          typeof value === 'string' ? [[name, value]] : [],
        ),
      })
    },
    async close() {
      await Promise.all([outside.destroy(), anywhere.destroy()])
    },
  }
}

async function read(body: AsyncIterable<unknown>): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Buffer[] = []
  let length = 0
  try {
    for await (const part of body) {
      if (!Buffer.isBuffer(part)) continue
      length += part.length
      // Leaving the loop ends the connection.
      if (length > answerBytesMax) throw new ProviderAway('too long an answer')
      parts.push(part)
    }
  } catch (error) {
    throw error instanceof ProviderAway ? error : new ProviderAway('half an answer', { cause: error })
  }
  return new Uint8Array(Buffer.concat(parts))
}
