import { z } from 'zod'
import { err, ok, type Log, type Result } from '../kernel/index.ts'
import { privateMembers, PublicJwk, type ClientFacts } from './client.ts'

/** A key set as an address gave it. */
export interface FetchedKeySet {
  readonly text: string
  readonly cacheControl: string | undefined
}
export type FetchRefusal =
  | 'address_not_https'
  | 'address_not_public'
  | 'redirected'
  | 'too_slow'
  | 'too_large'
  | 'status_not_ok'
  | 'unreachable'
/** A guarded GET: see `guard-address.ts` for what it must refuse. Five seconds and 64 KB at most; no redirect is followed. */
export type FetchKeySet = (url: string) => Promise<Result<FetchedKeySet, FetchRefusal>>
export const fetchMsMax = 5_000
export const keySetBytesMax = 65_536

/** Of others' keys we keep none longer, whatever their header says: a key that they withdraw must end. */
const keepSecondsMax = 3_600
/** For a client that says nothing about it. */
const keepSecondsDefault = 300
/** One look per client and second at most, also when a client lets nothing be kept: a stranger may be the one who asks. */
const lookEveryMs = 1_000
/**
 * After a look for an unknown kid, and after one that failed. Anybody may ask for an unknown kid in a client's name: for as
 * long, a key that the client has just begun to use may be refused.
 */
const unknownCoolDownMs = 5_000
const failedCoolDownMs = 10_000
const clientsMax = 10_000
const keysMax = 100

/** What is known of one client's published keys: plain values, which on Workers outlive a request. */
interface KnownSet {
  readonly url: string
  keys: readonly PublicJwk[]
  freshUntilMs: number
  lookedAtMs: number
  failedUntilMs: number
  unknownUntilMs: number
}
export type KnownKeySets = Map<string, KnownSet>

interface KeySetsNeeds {
  readonly known: KnownKeySets
  readonly fetchKeySet: FetchKeySet
  readonly log: Log
  monotonicMs(): number
  wait(milliseconds: number): Promise<void>
}

/**
 * The keys that clients publish at their addresses. Kept no longer than the client's Cache-Control says (SMART 341), and no
 * longer than an hour. What goes wrong with one client's address concerns that client alone.
 */
export class KeySets {
  readonly #needs: KeySetsNeeds
  /** One look at a time for a client; whoever comes before it begins shares it. */
  readonly #looking = new Map<string, Promise<readonly PublicJwk[] | undefined>>()

  constructor(needs: KeySetsNeeds) {
    this.#needs = needs
  }

  /** The keys of a client, looked for again when none is called `kid`. Undefined when they cannot be had now. */
  async find(client: ClientFacts, kid: string): Promise<readonly PublicJwk[] | undefined> {
    if (!('url' in client.keys)) return undefined
    const now = this.#needs.monotonicMs()
    const known = this.#knownOf(client.clientId, client.keys.url)
    if (now < known.freshUntilMs) {
      if (known.keys.some((key) => key.kid === kid) || now < known.unknownUntilMs) return known.keys
      known.unknownUntilMs = now + unknownCoolDownMs
    }
    if (now < known.failedUntilMs) return undefined
    const looking = this.#looking.get(client.clientId) ?? this.#look(client, known)
    this.#looking.set(client.clientId, looking)
    return looking
  }

  #knownOf(clientId: string, url: string): KnownSet {
    const { known } = this.#needs
    const found = known.get(clientId)
    if (found?.url === url) return found
    const [oldest] = known.keys()
    if (known.size >= clientsMax && oldest !== undefined) known.delete(oldest)
    const never = Number.NEGATIVE_INFINITY
    const fresh = {
      url,
      keys: [],
      freshUntilMs: never,
      lookedAtMs: never,
      failedUntilMs: never,
      unknownUntilMs: never,
    }
    known.set(clientId, fresh)
    return fresh
  }

  async #look(client: ClientFacts, known: KnownSet): Promise<readonly PublicJwk[] | undefined> {
    const { fetchKeySet, log } = this.#needs
    try {
      const waitMs = known.lookedAtMs + lookEveryMs - this.#needs.monotonicMs()
      if (waitMs > 0) await this.#needs.wait(waitMs)
      // From here on a new asker begins a new look: what this one finds may be older than its question.
      this.#looking.delete(client.clientId)
      const askedMs = this.#needs.monotonicMs()
      known.lookedAtMs = askedMs
      const fetched = await fetchKeySet(known.url)
      const read = fetched.ok ? readKeySet(fetched.value.text) : fetched
      if (!fetched.ok || !read.ok) {
        known.failedUntilMs = askedMs + failedCoolDownMs
        log.warn('keys.not_fetched', { client: client.clientId, why: read.ok ? '' : read.error })
        return undefined
      }
      const keepMs = secondsToKeep(fetched.value.cacheControl) * 1000
      known.keys = keepMs > 0 ? read.value : []
      known.freshUntilMs = askedMs + keepMs
      return read.value
    } finally {
      this.#looking.delete(client.clientId)
    }
  }
}

const KeySet = z.object({ keys: z.array(z.looseObject({})).max(keysMax) })

/** A set that publishes a private key is refused whole: whoever reads it can sign. Keys of other kinds are passed over. */
function readKeySet(text: string): Result<readonly PublicJwk[], 'set_malformed' | 'private_key_published'> {
  const set = KeySet.safeParse(jsonOf(text))
  if (!set.success) return err('set_malformed')
  if (set.data.keys.some((key) => Object.keys(key).some((member) => privateMembers.has(member))))
    return err('private_key_published')
  return ok(
    set.data.keys.flatMap((key) => {
      const read = PublicJwk.safeParse(key)
      return read.success ? [read.data] : []
    }),
  )
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** RFC 9111, section 5.2.2, as far as it concerns us. */
export function secondsToKeep(cacheControl: string | undefined): number {
  if (cacheControl === undefined) return keepSecondsDefault
  const directives = cacheControl
    .toLowerCase()
    .split(',')
    .map((part) => part.trim())
  if (directives.some((directive) => /^no-(store|cache)\b/.test(directive))) return 0
  const ages = directives.flatMap((directive) => {
    const age = /^max-age\s*=\s*"?(\d{1,15})"?$/.exec(directive)?.[1]
    return age === undefined ? [] : [Number(age)]
  })
  return Math.min(keepSecondsMax, ...(ages.length === 0 ? [keepSecondsDefault] : ages))
}
