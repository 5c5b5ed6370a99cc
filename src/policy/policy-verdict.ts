/** A policy that said no, and its words for the caller. */
export interface DecidingPolicy {
  /** Its id; that of a tenant's own begins with the tenant's name and a slash. */
  readonly policy: string
  readonly reason: string
}

export type PolicyVerdict =
  /** `policies`: the ids of the owner's that permitted. */
  | { readonly outcome: 'permit'; readonly policies: readonly string[] }
  /** `by` is empty when no policy permits. */
  | { readonly outcome: 'deny'; readonly by: readonly DecidingPolicy[] }
  /** Nobody can say: not a no to this caller, but our outage. The call is refused. */
  | { readonly outcome: 'unavailable'; readonly because: 'none_declared' | 'cannot_be_evaluated' }
