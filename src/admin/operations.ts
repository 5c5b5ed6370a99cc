import type { AnyOperation } from './operation.ts'
import { listTokens, makeToken, revokeToken } from './operations/admin-tokens.ts'
import { listAuditEntries } from './operations/audit.ts'
import { getPlan, listModels, listPlans, listPolicies } from './operations/catalog.ts'
import { approveRequest, getRequest, listRequests, rejectRequest } from './operations/change-requests.ts'
import { decideUseAsOf, replayDecision } from './operations/decisions.ts'
import { getClient, listTenantClients, revokeTokensOfClient } from './operations/clients.ts'
import { applyTree, planTree } from './operations/declarations.ts'
import { listTenantKeys, makeKey, revokeOneKey, rotateOneKey } from './operations/keys.ts'
import {
  activateLicense,
  attestLicense,
  resumeLicense,
  revokeLicense,
  suspendLicense,
  terminateLicense,
} from './operations/license-acts.ts'
import { amendOneLicense, createLicense, renewOneLicense, transferOneLicense } from './operations/license-grants.ts'
import { exportEvidence, exportFocusDataset, exportJournalEntries, exportUsageRows } from './operations/exports.ts'
import { getLicense, getLicenseAsOf, getLicenseHistory, listLicenses } from './operations/licenses.ts'
import {
  creditOneInvoice,
  explainInvoiceLine,
  getInvoice,
  listAllInvoices,
  previewOneInvoice,
} from './operations/invoices.ts'
import { listJournalEntries, sumJournalEntries } from './operations/journal.ts'
import { acknowledgeChangeNotice, issueChangeNotice, listChangeNotices } from './operations/notices.ts'
import {
  closeOnePeriod,
  getPeriod,
  listAllPeriods,
  listLicensePeriods,
  reopenOnePeriod,
  verifyOnePeriod,
} from './operations/periods.ts'
import { endManySessions, endOneSession, listLiveSessions, showOwnSession } from './operations/sessions.ts'
import {
  acceptReconciliationException,
  correctReconciliationException,
  getReconciliation,
  getReconciliationException,
  listAllReconciliations,
  listReconciliationExceptions,
  runOneReconciliation,
} from './operations/reconciliations.ts'
import { getTenant, listApplications, listFacilities, listTenants } from './operations/tenants.ts'
import { reportTenantUsage } from './operations/usage.ts'
import {
  demoteOneVersion,
  getVersion,
  listVersions,
  promoteOneVersion,
  recallOneVersion,
  signOffOneVersion,
} from './operations/versions.ts'

/** Everything that the control plane can be asked, in the order of its description. */
export const operations: readonly AnyOperation[] = [
  listTenants,
  getTenant,
  listFacilities,
  listApplications,
  listTenantKeys,
  makeKey,
  rotateOneKey,
  revokeOneKey,
  listTenantClients,
  getClient,
  revokeTokensOfClient,
  listLicenses,
  createLicense,
  getLicense,
  getLicenseAsOf,
  getLicenseHistory,
  activateLicense,
  amendOneLicense,
  renewOneLicense,
  transferOneLicense,
  suspendLicense,
  resumeLicense,
  revokeLicense,
  terminateLicense,
  attestLicense,
  listModels,
  listVersions,
  getVersion,
  signOffOneVersion,
  promoteOneVersion,
  demoteOneVersion,
  recallOneVersion,
  listChangeNotices,
  issueChangeNotice,
  acknowledgeChangeNotice,
  listPlans,
  getPlan,
  listPolicies,
  decideUseAsOf,
  replayDecision,
  reportTenantUsage,
  listAllPeriods,
  listLicensePeriods,
  getPeriod,
  closeOnePeriod,
  reopenOnePeriod,
  verifyOnePeriod,
  previewOneInvoice,
  listAllInvoices,
  getInvoice,
  explainInvoiceLine,
  creditOneInvoice,
  listJournalEntries,
  sumJournalEntries,
  exportFocusDataset,
  exportJournalEntries,
  exportUsageRows,
  exportEvidence,
  listAllReconciliations,
  getReconciliation,
  runOneReconciliation,
  listReconciliationExceptions,
  getReconciliationException,
  correctReconciliationException,
  acceptReconciliationException,
  listAuditEntries,
  listTokens,
  makeToken,
  revokeToken,
  showOwnSession,
  listLiveSessions,
  endManySessions,
  endOneSession,
  listRequests,
  getRequest,
  approveRequest,
  rejectRequest,
  planTree,
  applyTree,
]
