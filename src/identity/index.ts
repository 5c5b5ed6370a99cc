export { agentOf, areApart, areTwoPeople, ownerRoles, Role, roles, type Actor } from './actor.ts'
export { claimRequest, pruneAnswers, rememberAnswer, type Answer } from './store-admin-request.ts'
export {
  adminTokensMax,
  authenticateAdmin,
  findMakers,
  createAdminToken,
  listAdminTokens,
  revokeAdminToken,
  type AdminTokenRefusal,
  type AdminTokenSummary,
} from './admin-token.ts'
export {
  issueToken,
  objectionToHolder,
  openToken,
  tokenSeconds,
  type HeldToken,
  type TokenNeeds,
  type TokenRefusal,
} from './access-token.ts'
export {
  assertionType,
  authenticateClient,
  type AuthenticatedClient,
  type ClientNeeds,
  type ShownAssertion,
} from './assertion/authenticate-client.ts'
export type { Audiences } from './assertion/check-assertion.ts'
export { assertionRules, type AssertionReason } from './assertion/reasons.ts'
export { authenticateByCertificate, type CertificateRefusal } from './authenticate-by-certificate.ts'
export {
  checkCertificate,
  checkPossession,
  type CertificateReason,
  type PossessionRefusal,
  type ProofNeeds,
} from './check-possession.ts'
export { checkProof, proofAlgorithms, proofRules, type Proof, type ProofReason } from './dpop/check-proof.ts'
export { SeenProofs } from './dpop/seen-proofs.ts'
export { base64Url } from './jws.ts'
export { isAddress, isPublicAddress } from './guard-address.ts'
export {
  fetchMsMax,
  KeySets,
  keySetBytesMax,
  type FetchedKeySet,
  type FetchKeySet,
  type FetchRefusal,
  type KnownKeySets,
} from './key-sets.ts'
export { pruneOnce } from './store-replay.ts'
export { revokeToken } from './store-revoke-token.ts'
export { mintApiKey, parseApiKey, type ApiKey } from './api-key.ts'
export { authenticate, secretHmac, type Credential, type IdentityNeeds, type IdentityRefusal } from './authenticate.ts'
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
  CertificateThumbprint,
  clientCertificatesMax,
  clientIdOf,
  clientKeysMax,
  objectionToKey,
  privateMembers,
  Profile,
  profiles,
  PublicJwk,
  SenderConstraint,
  senderConstraintOf,
  type ClientFacts,
} from './client.ts'
export type { ApplicationFacts, FacilityFacts, KeyFacts, Principal, TenantFacts } from './principal.ts'
export { pastPrincipal } from './past-principal.ts'
export { parsePeppers, type Pepper, type Peppers } from './peppers.ts'
export { isOperation, isScope, operations, scopes, type Operation, type Scope } from './scope.ts'
export {
  findTenantId,
  isTenant,
  listKeys,
  loadIdentities,
  type KeyRefusal,
  type KeySummary,
  type TenantIdentity,
} from './store.ts'
export { Audience, audiences, clinicalPurposes, Purpose, purposes, TenantKind, tenantKinds } from './words.ts'
export { readSigningKeys, signingAlgorithm, type PublishedKey, type SigningKeys } from './signing-keys.ts'
