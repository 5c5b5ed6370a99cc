import type { ModelHost } from '../../infra/model-host/model-host.ts'

/**
 * What a gateway must have for an incident to be possible at all. Where it has no such function, the incident does not
 * apply to it: nothing is said for it and nothing against it.
 */
export const abilities = {
  tenants: 'keys that stand for tenants',
  budgets: 'budgets',
  rates: 'rates',
  slots: 'concurrency limits',
  ledger: 'a ledger of use',
  database: 'a database',
  models: 'models granted by tenant',
  guardrails: 'guardrails that can be broken',
  production: 'a start in production with secrets',
} as const
export type Ability = keyof typeof abilities

/** What a tenant may use. What is not said is wide. */
export interface Terms {
  /** Tokens, prompt and answer together, in a month. */
  readonly tokens?: number
  /** Any further budgets, as a license declares them. */
  readonly budgets?: readonly { readonly meter: string; readonly limit: number | string; readonly per: string }[]
  readonly tokensPerMinute?: number
  readonly concurrency?: number
  /** Models instead of all of `models`. */
  readonly models?: readonly ModelName[]
  readonly privacy?: string
}

/**
 * The models that every target has.
 * `exact`: a prompt of 80 tokens fills it and an answer has 20, so that a call is worth 100 tokens at most.
 * `wide`: 8,192 and 1,024. `pair`: two deployments, both on the one host. `predictor`: Open Inference Protocol.
 */
export const models = ['exact', 'wide', 'pair', 'predictor'] as const
export type ModelName = (typeof models)[number]

/** Somebody who may call: what its requests carry, whatever else they say. */
export interface Caller {
  readonly headers: Readonly<Record<string, string>>
  /** The secret in them. */
  readonly key: string
}

/** A caller of a tenant of its own. */
export interface Tenant extends Caller {
  readonly name: string
}

export interface LedgerEntry {
  readonly requestId: string
  readonly attempt: number
  readonly outcome: string
  readonly inputTokens: number
  readonly outputTokens: number
  /** In dollars, as a decimal. */
  readonly charge: string
}

export interface BudgetFacts {
  readonly limit: number
  readonly used: number
  /** Neither used nor free: taken by calls in flight, or lent to a process. */
  readonly held: number
}

/** A further process of the gateway, over the same database. It is ended with the target if nobody ends it before. */
export interface Process {
  readonly url: string
  /** SIGTERM asks, SIGKILL does not. */
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>
  /** Breaks its way to the database off. */
  cutDatabase(): void
  mendDatabase(): void
}

/**
 * A gateway that the incidents are tried on. Everything that callers do goes over HTTP; this is what they cannot do: acts
 * of an administrator, the scripted model host behind the gateway, and faults of what the gateway stands on. A gateway
 * that lacks an ability is not asked for what belongs to it.
 */
export interface Target {
  /** Which gateway it is, when it is another than this one. */
  readonly gateway: string | undefined
  readonly abilities: ReadonlySet<Ability>
  /** The one model host behind every model. `setKnobs` says how it behaves. */
  readonly host: ModelHost
  /** The secret that the gateway shows the model host, if it is the gateway's own. */
  readonly hostCredential: string | undefined
  /** Processes that run all the time, as one gateway. */
  readonly urls: readonly string[]
  /** A request's body may have so many bytes. */
  readonly bodyBytesMax: number

  /** Somebody who may call where there are no tenants. */
  readonly anybody: Caller
  /** Headers that tell two callers apart where there are no tenants. */
  asCaller(index: number): Readonly<Record<string, string>>
  /** Headers by which a caller asks for answers from a cache, where that can be asked for. */
  readonly cached: Readonly<Record<string, string>>
  /** Headers by which a call is tried three times, where a caller has to ask for that. */
  readonly threeAttempts: Readonly<Record<string, string>>

  newTenant(terms?: Terms): Promise<Tenant>
  /** Returns what the gateway says when it refuses such terms. */
  tryTerms(tenant: Tenant | 'a new one', terms: Terms): Promise<'accepted' | 'refused'>
  /** Everything is declared again as it is, as at the start of a process. */
  declareAgain(): Promise<void>
  /** A second key beside the first. */
  rotateKey(tenant: Tenant): Promise<Tenant>
  newKey(tenant: Tenant, wish: { scopes?: readonly string[]; endedAt?: number }): Promise<Tenant>
  revokeKey(tenant: Tenant): Promise<void>

  /** All of the tenant's rows, oldest first, over the gateway's own API. */
  ledgerOf(tenant: Tenant): Promise<readonly LedgerEntry[]>
  budgetOf(tenant: Tenant, budget?: string): Promise<BudgetFacts>

  /** `leaseSeconds`: how long what it borrowed is its own without its database. */
  start(options?: { leaseSeconds?: number }): Promise<Process>
  /** Starts it as for production with these variables, and tells whether it stays. */
  startInProduction(environment: Readonly<Record<string, string>>): Promise<{ refused: boolean; said: string }>

  /** No debit of any budget can be written while `work` runs. */
  whileDebitsWait<T>(work: () => Promise<T>): Promise<T>
  /** Somebody else holds the rows in which the tenant's budgets are counted. */
  whileCountersAreLocked<T>(tenant: Tenant, work: () => Promise<T>): Promise<T>
  /** Reading the ledger of last month does not end while `work` runs. */
  whileLastMonthIsLocked<T>(work: () => Promise<T>): Promise<T>
  /** The database ends the next `times` debits with this error, halfway through. */
  withDebitsBroken(times: number, errorCode: string, work: () => Promise<void>): Promise<void>
  /** Every question about a budget that is not yet known ends in an error. */
  withBudgetsBroken<T>(work: () => Promise<T>): Promise<T>
  /** Rows written while `work` runs, by table and operation; the gateway's own pulse is none. */
  rowsWrittenWhile(work: () => Promise<void>): Promise<Readonly<Record<string, number>>>
  /** Everything that the gateway keeps or prints: its tables and its output so far. */
  sinks(): Promise<string>
  /** Headers by which a call goes through a guardrail that is broken. */
  readonly brokenGuardrail: Readonly<Record<string, string>>
  /** The folder of the package with what it depends on, as it was installed. */
  readonly packageFolder: string

  stop(): Promise<void>
}
