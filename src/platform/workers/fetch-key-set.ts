import { fetchMsMax, isAddress, isPublicAddress, keySetBytesMax, type FetchKeySet } from '../../identity/index.ts'
import { err, ok } from '../../kernel/index.ts'

/**
 * Clients' key sets over fetch. A Worker opens no connection of its own and reaches no network but the internet: there is no
 * inside that a name could lead to. Addresses in place of a name are refused all the same.
 */
export const fetchKeySet: FetchKeySet = async (url) => {
  const { protocol, hostname } = new URL(url)
  if (protocol !== 'https:') return err('address_not_https')
  if (isAddress(hostname) && !isPublicAddress(hostname)) return err('address_not_public')
  try {
    const response = await fetch(url, { redirect: 'manual', signal: AbortSignal.timeout(fetchMsMax) })
    if (response.status >= 300 && response.status < 400) return err('redirected')
    if (response.status !== 200) return err('status_not_ok')
    const parts: Uint8Array[] = []
    let length = 0
    for await (const part of response.body ?? []) {
      length += part.length
      if (length > keySetBytesMax) return err('too_large')
      parts.push(part)
    }
    const text = await new Blob(parts.map((part) => new Uint8Array(part))).text()
    return ok({ text, cacheControl: response.headers.get('cache-control') ?? undefined })
  } catch (error) {
    return err(error instanceof Error && error.name === 'TimeoutError' ? 'too_slow' : 'unreachable')
  }
}
