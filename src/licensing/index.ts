export { Budget, BudgetMeter, budgetName, BudgetPer, Entitlement, PrivacyMode, Rates, Terms } from './terms.ts'
export { Audience, audiences, Purpose, purposes, TenantKind, tenantKinds } from './words.ts'
