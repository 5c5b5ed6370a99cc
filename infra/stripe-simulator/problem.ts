export interface ProblemFacts {
  readonly status: number
  readonly type: 'invalid_request_error' | 'idempotency_error' | 'api_error' | 'rate_limit_error' | 'card_error'
  readonly code?: string
  readonly param?: string
}

/** A refusal in Stripe's words; it ends as `{ error: { type, code, param, message } }` (https://docs.stripe.com/api/errors). */
export class Problem extends Error {
  override readonly name = 'Problem'
  readonly facts: ProblemFacts

  constructor(message: string, facts: ProblemFacts) {
    super(message)
    this.facts = facts
  }
}

export const invalid = (message: string, param?: string, code?: string): Problem =>
  new Problem(message, {
    status: 400,
    type: 'invalid_request_error',
    ...(param === undefined ? {} : { param }),
    ...(code === undefined ? {} : { code }),
  })

export const missing = (what: string, id: string): Problem =>
  new Problem(`No such ${what}: '${id}'`, {
    status: 404,
    type: 'invalid_request_error',
    code: 'resource_missing',
    param: 'id',
  })
