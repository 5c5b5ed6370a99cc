export { agentOf, areApart, areTwoPeople, ownerRoles, Role, roles, type Actor } from './actor.ts'
export { claimRequest, pruneAnswers, rememberAnswer, type Answer } from './store-admin-request.ts'
export {
  adminTokenDaysMax,
  adminTokensMax,
  authenticateAdmin,
  findMakers,
  readScope,
  createAdminToken,
  listAdminTokens,
  revokeAdminToken,
  type AdminTokenRefusal,
  type AdminTokenSummary,
  type LiveToken,
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
export { authenticateSession, type ShownSession } from './authenticate-session.ts'
export { checkProof, proofAlgorithms, proofRules, type Proof, type ProofReason } from './dpop/check-proof.ts'
export { SeenProofs } from './dpop/seen-proofs.ts'
export { SharedProofs } from './dpop/shared-proofs.ts'
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
export { rememberProofs, type ShownProof } from './store-proofs.ts'
export { pruneOnce } from './store-replay.ts'
export { revokeToken } from './store-revoke-token.ts'
export { isCrossSite, type Provenance } from './sign-in/cross-site.ts'
export { attemptSeconds, beginAttempt, openAttempt, sealAttempt, secretsOf, type Attempt } from './sign-in/attempt.ts'
export { localPath } from './sign-in/local-path.ts'
export type { ProviderFacts } from './sign-in/provider-facts.ts'
export {
  ProviderAway,
  Providers,
  type ProviderFetch,
  type ProviderRefusal,
  type ProvidersNeeds,
} from './sign-in/providers.ts'
export { personName, readPerson, type Person, type PersonRefusal } from './sign-in/read-person.ts'
export {
  cookieKey,
  cookieNames,
  digestOf,
  isSameCsrfToken,
  mintSession,
  readSession,
} from './sign-in/session-secret.ts'
export {
  bootstrapSeconds,
  decideBootstrap,
  loadInstallation,
  noteFirstStart,
  type BootstrapRefusal,
} from './store-installation.ts'
export {
  beginPersonsSession,
  beginTokensSession,
  endSessions,
  endSessionsOfNobody,
  idleSeconds,
  listSessions,
  pruneSessions,
  sessionSecondsMax,
  type LiveSession,
  type SessionSummary,
  type WhichSessions,
} from './store-session.ts'
export { findClient, listClients, revokeClientTokens, type ClientSummary } from './store-client.ts'
export { findOwnersProvider, findProvider } from './store-sign-in.ts'
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
export { RefusedAddresses, refusedMax, windowSeconds } from './refused-addresses.ts'
export { readSigningKeys, signingAlgorithm, type PublishedKey, type SigningKeys } from './signing-keys.ts'
