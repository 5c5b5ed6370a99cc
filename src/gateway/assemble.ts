import type { Clock, Defer, Hmac, Log, Random, Uuid } from '../kernel/index.ts'
import { appendAuditEntries, EntryQueue } from '../audit/index.ts'
import type { StripeDoor } from '../billing/index.ts'
import { systemTransaction, type Database } from '../db/index.ts'
import {
  KeySets,
  rememberProofs,
  readSigningKeys,
  RefusedAddresses,
  SeenProofs,
  SharedProofs,
  type FetchKeySet,
  type KnownKeySets,
  type SigningKeys,
} from '../identity/index.ts'
import {
  GroupCommit,
  setAsideIn,
  unfoldBatchesIn,
  writeBatchTo,
  writeLateTo,
  writeOpenTo,
  type Spool,
} from '../metering/index.ts'
import { askPolicies, KeptDecisions } from '../policy/index.ts'
import { Lender, postgresAuthority, type Place, type RateStore } from '../quota/index.ts'
import { Circuits, type Deadlines, type Deployment, type Upstream } from '../routing/index.ts'
import { Directory, nothingKnown, type Known } from './directory.ts'
import type { Gateway, Meter } from './gateway.ts'
import { OpenStreams } from './open-streams.ts'

/**
 * What outlives a call, in plain values: no connection, no timer. A process has one; on Workers the isolate has it, and
 * the rest is put together for each request.
 */
export interface Memory {
  readonly known: Known
  readonly circuits: Circuits
  readonly decisions: KeptDecisions
  readonly keySets: KnownKeySets
  readonly proofs: SeenProofs
  readonly refusedAddresses: RefusedAddresses
}

export const emptyMemory = (): Memory => ({
  known: nothingKnown(),
  circuits: new Circuits(),
  decisions: new KeptDecisions(),
  keySets: new Map(),
  proofs: new SeenProofs(),
  refusedAddresses: new RefusedAddresses(),
})

/** The parts that a platform brings. */
export interface Parts {
  readonly platform: 'node' | 'workers'
  readonly clock: Clock
  readonly random: Random
  readonly hmac: Hmac
  readonly log: Log
  readonly meter: Meter
  readonly database: Database
  readonly rates: RateStore
  readonly upstream: Upstream
  readonly deferred: Defer
  readonly deadlines: Deadlines
  readonly bodyBytesMax: number
  readonly leaseSeconds: number
  /** Where other processes can see whether this one lives. */
  readonly place: Place | undefined
  readonly spool: Spool | undefined
  readonly memory: Memory
  readonly stripe: StripeDoor | undefined
  /** After so long without a word of the database the declarations are asked for again before a call is decided. */
  readonly staleAfterMs: number
  /** SIGNING_KEY. */
  readonly signingKey: string | undefined
  /** Where the outside finds this gateway, without a slash at its end: who issues tokens, and for whom. */
  issuer(): string | undefined
  /** Where callers can connect with a TLS certificate, if anywhere. */
  mtlsUrl(): string | undefined
  readonly fetchKeySet: FetchKeySet
  pepper(version: number): Uint8Array | undefined
  credential(deployment: Deployment): string | undefined
  isStopping(): boolean
  /** Runs `work` after whatever has already arrived. */
  soon(work: () => void): void
}

/** Puts a gateway together. Nothing runs yet: `directory.refresh()` and `lender.start()` come before the first call. */
export function assembleGateway(parts: Parts): Gateway {
  const { clock, random, database, log, hmac } = parts
  const now = () => clock.now()
  const monotonicMs = () => clock.monotonicMs()
  const { memory, staleAfterMs } = parts
  const directory = new Directory({ database, log, known: memory.known, staleAfterMs, now, monotonicMs })
  const after = (milliseconds: number, wake: () => void) => {
    const timer = setTimeout(wake, milliseconds)
    return { cancel: () => clearTimeout(timer) }
  }
  // Where a poll looks, it also tells of what it saw; where none does, an open stream makes the request look.
  const openStreams = new OpenStreams({
    lookEveryMs: Number.isFinite(staleAfterMs) ? staleAfterMs : undefined,
    confirm: () => directory.confirm(),
    deferred: parts.deferred,
    log,
    after,
  })
  directory.onConfirmed(() => openStreams.look())
  const lender = new Lender(
    {
      authority: postgresAuthority(database),
      rates: parts.rates,
      time: { monotonicMs, after },
      log,
      platform: parts.platform,
      place: parts.place,
      now,
      newInstanceId: () => random.uuid(clock.now()),
    },
    {
      leaseSeconds: parts.leaseSeconds,
      waitMs: 10_000,
      tightMs: 5_000,
      waitersMax: 2_000,
      // On Workers an instance lives for one request.
      exact: parts.platform === 'workers',
    },
  )
  const ledger = new GroupCommit(
    {
      write: writeBatchTo(database),
      unfold: unfoldBatchesIn(database),
      setAside: setAsideIn(database),
      writeLate: writeLateTo(database),
      spool: parts.spool,
      writeOpen: writeOpenTo(database),
      log,
      instanceId: () => lender.instanceId,
      onFenced: () => lender.beginAnew(),
      time: { monotonicMs, after, soon: (work) => parts.soon(work) },
    },
    {
      lanes: 2,
      batchMax: 500,
      waitingMax: 20_000,
      giveUpMs: 5_000,
      noteAfterMs: 5,
      // On Workers nobody else's batch comes.
      unfoldAfterMs: parts.platform === 'workers' ? 0 : 50,
      spoolAfterMs: 1_000,
    },
  )
  const entries = new EntryQueue({
    write: (some) => systemTransaction(database, 'audit', (tx) => appendAuditEntries(tx, some)),
    pause: (ms) => new Promise<void>((resolve) => void after(ms, resolve)),
    log,
  })
  const shared = new SharedProofs({ remember: (shown) => rememberProofs(database, shown), log, monotonicMs })
  const keySets = new KeySets({
    known: memory.keySets,
    fetchKeySet: parts.fetchKeySet,
    log,
    monotonicMs,
    wait: (ms) => new Promise<void>((resolve) => void after(ms, resolve)),
  })
  return {
    clock,
    log,
    hmac,
    meter: parts.meter,
    database,
    directory,
    openStreams,
    lender,
    ledger,
    entries,
    upstream: parts.upstream,
    circuits: memory.circuits,
    deadlines: parts.deadlines,
    bodyBytesMax: parts.bodyBytesMax,
    stripe: parts.stripe,
    deferred: parts.deferred,
    pepper: (version) => parts.pepper(version),
    credential: (deployment) => parts.credential(deployment),
    isStopping: () => parts.isStopping(),
    monotonicMs,
    fraction: () => random.fraction(),
    newRequestId: () => random.uuid(clock.now()),
    findKey: (keyId) => directory.findKey(keyId),
    findKeyAgain: (keyId) => directory.findKeyAgain(keyId),
    findClient: (clientId) => directory.findClient(clientId),
    findClientAgain: (clientId) => directory.findClientAgain(clientId),
    publishedKeysOf: (client, kid) => keySets.find(client, kid),
    proofs: memory.proofs,
    shareProof: (proof) => shared.show(proof),
    refusedAddresses: memory.refusedAddresses,
    issuer: () => parts.issuer(),
    mtlsUrl: () => parts.mtlsUrl(),
    findLicenses: (tenantId) => directory.findLicenses(tenantId),
    findModel: (model) => directory.catalog().get(model),
    askPolicies: (tenantId, question) =>
      askPolicies({ decisions: memory.decisions, log }, directory.policiesFor(tenantId), question),
    catalog: () => directory.catalog(),
    planAt: (plan, at) => directory.planAt(plan, at),
    signing: signingBy(parts.signingKey),
    pseudonym: pseudonymsBy(hmac, (version) => parts.pepper(version)),
  }
}

/** Read once, when the first document is asked for. */
function signingBy(text: string | undefined): Gateway['signing'] {
  if (text === undefined) return undefined
  let keys: Promise<SigningKeys> | undefined
  return () => (keys ??= readSigningKeys(text))
}

/** HMAC under a key of the tenant's own, so that nobody can join two tenants' users by their pseudonyms. */
function pseudonymsBy(hmac: Hmac, pepper: (version: number) => Uint8Array | undefined) {
  const keys = new Map<Uuid, Uint8Array>()
  return (tenantId: Uuid, value: string): string => {
    let key = keys.get(tenantId)
    if (key === undefined) {
      key = hmac.sha256(pepper(1) ?? new Uint8Array(32), `pseudonym:${tenantId}`)
      keys.set(tenantId, key)
    }
    return hex(hmac.sha256(key, value))
  }
}

const hex = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
