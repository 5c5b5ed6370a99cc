/**
 * A dependency broke (database, model host). Not a refusal: nobody decided anything. It ends as 502, 503 or 504,
 * never as 401 or 403. `cause` is for the log; its words never reach a caller.
 */
export class Failure extends Error {
  override readonly name = 'Failure'
  readonly dependency: 'database' | 'model_host' | 'rate_store' | 'stripe'
  readonly retryable: boolean

  constructor(dependency: Failure['dependency'], message: string, options: { retryable: boolean; cause?: unknown }) {
    super(message, { cause: options.cause })
    this.dependency = dependency
    this.retryable = options.retryable
  }
}
