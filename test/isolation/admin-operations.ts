import type { Role } from '../../src/identity/index.ts'

export interface AdminOperation {
  readonly id: string
  readonly method: 'GET' | 'POST'
  readonly path: string
  /** Who may, as the contract says it: written here once more, and by hand. */
  readonly roles: readonly Role[]
  readonly body?: unknown
  readonly ifMatch?: boolean
  /** With the names of `about.ours` a tenant's administrator may read or do it. */
  readonly isOfTenant?: boolean
}

/** Names that the paths are made of. */
export interface About {
  readonly tenant: string
  readonly application: string
  readonly license: string
  readonly keyId: string
  readonly notice: string
  readonly invoice: string
  readonly session: string
}

const everybody: readonly Role[] = ['owner-admin', 'licensing', 'finance', 'auditor', 'tenant-admin', 'tenant-viewer']
const owners: readonly Role[] = ['owner-admin', 'licensing', 'finance', 'auditor']
const office: readonly Role[] = ['owner-admin', 'licensing']
const keepers: readonly Role[] = [...office, 'tenant-admin']

const finance: readonly Role[] = ['owner-admin', 'finance']
const exporters: readonly Role[] = ['owner-admin', 'finance', 'auditor', 'tenant-admin']
const auditors: readonly Role[] = [...finance, 'auditor']
const payers: readonly Role[] = [...auditors, 'tenant-admin', 'tenant-viewer']
const deciders: readonly Role[] = [...office, 'finance']

const reason = { reason: 'a test' }
const step = { to: 'owner', reason: 'a test' }

/** Every operation of the control plane, with a request for it that is well formed. */
export function adminOperations({
  tenant,
  application,
  license,
  keyId,
  notice,
  invoice,
  session,
}: About): readonly AdminOperation[] {
  const grant = { license, plan: 'standard' }
  const version = '/models/scribe/versions/9.9.9'
  const thisMonth = new Date().toISOString().slice(0, 7)
  const month = `/licenses/${license}/periods/${thisMonth}`
  const next = new Date(Date.UTC(new Date().getUTCFullYear(), new Date().getUTCMonth() + 1)).toISOString().slice(0, 7)
  const nobody = '00000000-0000-4000-8000-000000000000'
  const read = (id: string, path: string, roles: readonly Role[], isOfTenant = false): AdminOperation => ({
    id,
    method: 'GET',
    path,
    roles,
    isOfTenant,
  })
  const act = (
    id: string,
    path: string,
    roles: readonly Role[],
    more: Partial<Pick<AdminOperation, 'body' | 'ifMatch' | 'isOfTenant'>> = {},
  ): AdminOperation => ({ id, method: 'POST', path, roles, ...more })
  return [
    read('listTenants', '/tenants', everybody),
    read('getTenant', `/tenants/${tenant}`, everybody, true),
    read('listFacilities', `/tenants/${tenant}/facilities`, everybody, true),
    read('listApplications', `/tenants/${tenant}/applications`, everybody, true),
    read('listKeys', `/tenants/${tenant}/keys`, everybody, true),
    act('createKey', `/tenants/${tenant}/applications/${application}/keys`, keepers, { body: {}, isOfTenant: true }),
    act('rotateKey', `/keys/${keyId}/rotate`, keepers, { body: {}, isOfTenant: true }),
    act('revokeKey', `/keys/${keyId}/revoke`, keepers, { body: reason, isOfTenant: true }),
    read('listClients', `/tenants/${tenant}/clients`, everybody, true),
    read('getClient', `/clients/${tenant}.${application}`, everybody, true),
    act('revokeClientTokens', `/clients/${tenant}.${application}/revoke-tokens`, keepers, {
      body: reason,
      isOfTenant: true,
    }),
    read('listLicenses', '/licenses', everybody),
    act('createLicense', `/tenants/${tenant}/licenses`, office, { body: { grant } }),
    read('getLicense', `/licenses/${license}`, everybody, true),
    read('getLicenseAsOf', `/licenses/${license}/as-of?at=2026-11-01T00:00:00Z`, everybody, true),
    read('getLicenseHistory', `/licenses/${license}/history`, everybody, true),
    act('activateLicense', `/licenses/${license}/activate`, office, { body: reason, ifMatch: true }),
    act('amendLicense', `/licenses/${license}/amend`, office, { body: { grant }, ifMatch: true }),
    act('renewLicense', `/licenses/${license}/renew`, office, { body: { end: '2040-01-01T00:00:00Z' }, ifMatch: true }),
    act('transferLicense', `/licenses/${license}/transfer`, office, {
      body: { to_tenant: 'nobody', as: 'LIC-NOBODY', ...reason },
      ifMatch: true,
    }),
    act('suspendLicense', `/licenses/${license}/suspend`, office, { body: reason, ifMatch: true }),
    act('resumeLicense', `/licenses/${license}/resume`, office, { body: reason, ifMatch: true }),
    act('revokeLicense', `/licenses/${license}/revoke`, office, { body: reason, ifMatch: true }),
    act('terminateLicense', `/licenses/${license}/terminate`, office, { body: reason, ifMatch: true }),
    act('attestLicense', `/licenses/LIC-NOBODY/attestations`, office, { body: { kind: 'training' } }),
    read('listModels', '/models', owners),
    read('listVersions', '/models/scribe/versions', owners),
    read('getVersion', version, owners),
    act('signOffVersion', `${version}/sign-offs`, office, { body: { ...step, role: 'clinical' } }),
    act('promoteVersion', `${version}/promote`, office, { body: step, ifMatch: true }),
    act('demoteVersion', `${version}/demote`, office, { body: step }),
    act('recallVersion', `${version}/recall`, office, { body: reason }),
    read('listNotices', '/notices', everybody),
    act('issueNotice', `${version}/notices`, office, { body: { to: 'licensed', summary: 'a test' } }),
    act('acknowledgeNotice', `/notices/${notice}/acknowledge`, keepers, { body: {}, isOfTenant: true }),
    read('listPlans', '/plans', everybody),
    read('getPlan', '/plans/standard', everybody),
    read('listPolicies', '/policies', owners),
    read('decideAsOf', `/decisions?tenant=${tenant}&application=${application}&model=scribe&operation=chat`, [
      ...office,
      'auditor',
    ]),
    read('replayDecision', `/decisions/${nobody}`, [...office, 'auditor']),
    read('reportUsage', `/usage?tenant=${tenant}`, everybody, true),
    read('listPeriods', `/periods?tenant=${tenant}`, payers, true),
    read('listLicensePeriods', `/licenses/${license}/periods`, payers, true),
    read('getPeriod', month, payers, true),
    act('closePeriod', `${month}/close`, finance, { body: {}, ifMatch: true }),
    act('reopenPeriod', `${month}/reopen`, finance, { body: reason, ifMatch: true }),
    read('verifyPeriod', `${month}/verification`, auditors),
    read('previewInvoice', `/licenses/${license}/periods/${next}/preview`, payers, true),
    read('listInvoices', `/invoices?tenant=${tenant}`, payers, true),
    read('getInvoice', `/invoices/${invoice}`, payers, true),
    read('explainInvoiceLine', `/invoices/${invoice}/lines/1`, payers, true),
    act('creditInvoice', `/invoices/INV-999999/credit`, finance, { body: reason }),
    read('listJournal', `/journal?tenant=${tenant}`, auditors),
    read('sumJournal', `/journal/sums?tenant=${tenant}`, auditors),
    read('exportFocus', `/exports/focus/cost-and-usage?month=${thisMonth}&license=${license}`, exporters, true),
    read('exportJournal', `/exports/journal?month=${thisMonth}&tenant=${tenant}`, auditors),
    read('exportUsage', `/exports/usage/${license}?month=${thisMonth}`, exporters, true),
    read('exportEvidence', `/exports/evidence/${license}?month=${thisMonth}`, exporters, true),
    read('listReconciliations', '/reconciliations', auditors),
    read('getReconciliation', '/reconciliations/2026-01', auditors),
    act('runReconciliation', '/reconciliations/2026-01/run', finance, { body: {} }),
    read('listReconciliationExceptions', `/reconciliation-exceptions?tenant=${tenant}`, auditors),
    read('getReconciliationException', `/reconciliation-exceptions/${nobody}`, auditors),
    act('correctReconciliationException', `/reconciliation-exceptions/${nobody}/correct`, finance, {
      body: reason,
      ifMatch: true,
    }),
    act('acceptReconciliationException', `/reconciliation-exceptions/${nobody}/accept`, finance, {
      body: reason,
      ifMatch: true,
    }),
    read('listAuditEntries', `/audit?tenant=${tenant}`, [...office, 'auditor', 'tenant-admin'], true),
    read('listAdminTokens', '/admin-tokens', ['owner-admin', 'auditor']),
    act('createAdminToken', '/admin-tokens', ['owner-admin'], { body: { name: 'x', roles: ['tenant-admin'] } }),
    act('revokeAdminToken', `/admin-tokens/none/revoke`, ['owner-admin'], { body: reason }),
    read('getSession', '/session', everybody),
    read('listSessions', `/sessions?tenant=${tenant}`, ['owner-admin', 'auditor', 'tenant-admin'], true),
    act('endSessions', '/sessions/end', ['owner-admin', 'tenant-admin'], {
      body: { tenant, ...reason },
      isOfTenant: true,
    }),
    act('endSession', `/sessions/${session}/end`, ['owner-admin', 'tenant-admin'], { body: reason, isOfTenant: true }),
    read('listChangeRequests', '/change-requests', owners),
    read('getChangeRequest', `/change-requests/${nobody}`, owners),
    act('approveChangeRequest', `/change-requests/${nobody}/approve`, deciders, { body: reason }),
    act('rejectChangeRequest', `/change-requests/${nobody}/reject`, deciders, { body: reason }),
    act('planDeclarations', '/declarations/plan', office, { body: { tree: {} } }),
    act('applyDeclarations', '/declarations/apply', office, { body: { tree: {}, plan_digest: 'none' } }),
  ]
}
