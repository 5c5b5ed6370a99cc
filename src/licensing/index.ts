export { actOnLicense, attest, type Acted, type ActRefusal, type DirectAct } from './act-on-license.ts'
export { revisionRefusalInWords, type Deciders, type RevisionRefusal } from './judge-revision.ts'
export {
  AttestationKind,
  expiringDays,
  graceEnd,
  knownBy,
  licenseAsOf,
  licenseState,
  overdueAttestations,
  revisionAt,
  type Attestation,
  type LicenseAct,
  type LicenseActName,
  type LicenseAsOf,
  type LicenseFacts,
  type LicenseRevision,
  type LicenseState,
} from './license.ts'
export { licenseDocument, type LicenseGrant } from './license-document.ts'
export {
  amendLicense,
  grantLicense,
  grantOf,
  recordRevisions,
  renewLicense,
  transferLicense,
  type RecordedRevision,
  type RecordRefusal,
  type RevisionToRecord,
} from './record-license.ts'
export {
  requireLicense,
  type Licensed,
  type LicensingNeeds,
  type LicensingRefusal,
  type NotInForce,
} from './require-license.ts'
export { findLicenseRow, loadDocumentFacts, loadLicenses, loadOwnerName } from './store.ts'
export { Budget, BudgetMeter, budgetName, BudgetPer, Entitlement, PrivacyMode, Rates, Terms } from './terms.ts'
export { widens } from './widens.ts'
export {
  documentRefusalInWords,
  licenseType,
  revocationsSeconds,
  revocationsType,
  signLicense,
  signRevocations,
  verifyLicense,
  type Checking,
  type DocumentRefusal,
  type LicenseClaims,
} from './signed-license.ts'
