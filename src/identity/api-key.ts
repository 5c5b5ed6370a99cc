import type { Sensitive } from '../privacy/index.ts'
import { mintSecret, parseSecret } from './minted-secret.ts'

export const apiKeyPrefix = 'fml_live_'

/** `fml_live_<id>_<secret><checksum>`, as `minted-secret.ts` says. */
export interface ApiKey {
  readonly keyId: string
  /** The whole key, as shown once. */
  readonly text: Sensitive<string>
}

/** Reads a key; undefined when it is not one, or mistyped. Never touches a store. */
export function parseApiKey(text: string): ApiKey | undefined {
  const read = parseSecret(apiKeyPrefix, text)
  return read === undefined ? undefined : { keyId: read.id, text: read.text }
}

/** Makes a key from at least 42 random bytes. */
export function mintApiKey(random: Uint8Array): ApiKey {
  const { id, text } = mintSecret(apiKeyPrefix, random)
  return { keyId: id, text }
}
