/** What a client noted of one call. It knows nothing of the inside. */
export interface CallSeen {
  readonly tenant: string
  readonly application: string
  readonly operation: 'chat' | 'infer'
  readonly streamed: boolean
  /** Of the request's body: no prompt has more tokens. */
  readonly bytes: number
  /** The most output tokens that this call may be charged for. */
  readonly outputMax: number
  /** 0: no answer came. */
  readonly status: number
  readonly code: string | undefined
  readonly retryAfter: string | undefined
  readonly requestId: string | undefined
  /** It has the whole answer: a body of the announced length, or a stream up to `[DONE]`. */
  readonly isWhole: boolean
  /** It closed the connection itself. */
  readonly hasLeft: boolean
  /** Events with content that arrived; each is one token of the stand-in host. */
  readonly pieces: number
  /** The usage in the answer, when there was one that could be read. */
  readonly usage: { readonly input: number; readonly output: number } | undefined
  readonly milliseconds: number
  /** The gateway process was killed, or stopped for so long that it was taken for dead, while this call was open. */
  readonly gatewayDied: boolean
  /** The clock of its gateway process was stepped in this schedule: it may take a license for not begun. */
  readonly wrongClock: boolean
}

/** One row of the model host's own log. */
export interface HostSaid {
  readonly requestId: string | null
  readonly attempt: number
  readonly inputTokens: number
  readonly outputTokens: number
  readonly finished: 'complete' | 'client_left' | 'cut' | 'error'
}

export interface LedgerRow {
  readonly tenant: string
  readonly application: string
  readonly license: string
  readonly requestId: string
  readonly attempt: number
  readonly startedAtMs: number
  readonly operation: string
  readonly outcome: string
  readonly usageSource: string
  readonly requests: bigint
  readonly inputTokens: bigint
  readonly outputTokens: bigint
  readonly inferences: bigint
  readonly chargePicos: bigint
}

export interface AccountRow {
  readonly tenant: string
  readonly license: string
  readonly budget: string
  readonly periodStartMs: number
  readonly periodEndMs: number
  /** What may be held and used at most; undefined: no limit. */
  readonly ceiling: bigint | undefined
  readonly settled: bigint
  readonly leased: bigint
}

export interface LeaseRow {
  readonly tenant: string
  readonly license: string
  readonly budget: string
  readonly periodStartMs: number
  readonly amount: bigint
  readonly used: bigint
}

/** Budgets at one moment. */
export interface Books {
  readonly accounts: readonly AccountRow[]
  readonly leases: readonly LeaseRow[]
}

/** All that is known of one schedule, after everything was mended and time enough was given. */
export interface Evidence {
  readonly calls: readonly CallSeen[]
  readonly host: readonly HostSaid[]
  /** Rows that were written since the schedule began. */
  readonly ledger: readonly LedgerRow[]
  readonly before: Books
  readonly after: Books
  /** Calls that the database still takes to be in flight. */
  readonly openCalls: readonly string[]
  /** Batches that were committed and have not become rows. */
  readonly batchesWaiting: number
  /** Files that still hold what the database was not told. */
  readonly spools: number
  /** Batches that the ledger did not take in this schedule: money that a person has to book. */
  readonly batchesRefused: number
  /** Whether the host was told to lie about what was used. */
  readonly hostMayLie: boolean
  /** What the tests themselves allowed, whatever the database says. */
  readonly allowances: readonly Allowance[]
}

/** So many tokens a tenant may use in a month (UTC, such as `2026-11`). */
export interface Allowance {
  readonly tenant: string
  readonly tokens: bigint
  readonly usedBefore: ReadonlyMap<string, bigint>
}
