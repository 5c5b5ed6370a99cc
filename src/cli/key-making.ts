import { randomBytes } from 'node:crypto'
import type { KeyMaking } from '../identity/index.ts'
import { ConfigError, readPeppers } from '../platform/node/config.ts'
import { nodeHmac } from '../platform/node/ports.ts'

/** What keys and admin tokens are made with. @throws ConfigError without KEY_PEPPER. */
export function keyMakingFrom(keyPepper: string | undefined): KeyMaking {
  if (keyPepper === undefined) throw new ConfigError('KEY_PEPPER is not set: a key cannot be made without it')
  return {
    hmac: nodeHmac,
    pepper: readPeppers(keyPepper).current,
    randomBytes: (length) => new Uint8Array(randomBytes(length)),
  }
}
