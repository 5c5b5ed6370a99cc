export { agentOf, areTwoPeople, ownerRoles, Role, roles, type Actor } from './actor.ts'
export { claimRequest, pruneAnswers, rememberAnswer, type Answer } from './store-admin-request.ts'
export {
  adminTokensMax,
  authenticateAdmin,
  createAdminToken,
  listAdminTokens,
  revokeAdminToken,
  type AdminTokenRefusal,
  type AdminTokenSummary,
  type TokenHolder,
} from './admin-token.ts'
export { mintApiKey, parseApiKey, type ApiKey } from './api-key.ts'
export {
  authenticate,
  secretHmac,
  type ApplicationFacts,
  type FacilityFacts,
  type IdentityNeeds,
  type IdentityRefusal,
  type KeyFacts,
  type Principal,
  type TenantFacts,
} from './authenticate.ts'
export {
  createKey,
  keyDaysDefault,
  keyDaysMax,
  revokeKey,
  rotateKey,
  type CreatedKey,
  type KeyMaking,
} from './manage-keys.ts'
export {
  algorithmsOf,
  clientIdOf,
  clientKeysMax,
  objectionToKey,
  privateMembers,
  Profile,
  profiles,
  PublicJwk,
  type ClientFacts,
} from './client.ts'
export { pastPrincipal } from './past-principal.ts'
export { parsePeppers, type Pepper, type Peppers } from './peppers.ts'
export { isScope, scopes, type Scope } from './scope.ts'
export { isTenant, listKeys, loadIdentities, type KeyRefusal, type KeySummary, type TenantIdentity } from './store.ts'
export { Audience, audiences, clinicalPurposes, Purpose, purposes, TenantKind, tenantKinds } from './words.ts'
export { readSigningKeys, signingAlgorithm, type PublishedKey, type SigningKeys } from './signing-keys.ts'
