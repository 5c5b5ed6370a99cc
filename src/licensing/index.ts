export { actOnLicense, type ActRefusal } from './act-on-license.ts'
export {
  licenseState,
  revisionAt,
  type LicenseAct,
  type LicenseActName,
  type LicenseFacts,
  type LicenseRevision,
  type LicenseState,
} from './license.ts'
export {
  requireLicense,
  type Licensed,
  type LicensingNeeds,
  type LicensingRefusal,
  type NotInForce,
} from './require-license.ts'
export { loadLicenses } from './store.ts'
export { Budget, BudgetMeter, budgetName, BudgetPer, Entitlement, PrivacyMode, Rates, Terms } from './terms.ts'
