import type { ApplicationFacts, Principal, TenantFacts } from './principal.ts'

/**
 * Who a caller was, for making a decision of the past again. It proves nothing and opens nothing: only `authenticate`
 * lets a call in, and what is decided here is only shown.
 */
export const pastPrincipal = (facts: {
  tenant: TenantFacts
  application: ApplicationFacts
  keyId: string
}): Principal => ({ ...facts, scopes: facts.application.scopes }) as Principal
