import type { DeclarationFile } from '../../src/tenants/index.ts'

/** The name of the benchmark's model; the model host serves any. */
export const benchModel = 'bench'
export const tenantName = (index: number): string => `hospital-${index}`
/** The one application of each tenant. */
export const benchApplication = 'ehr'

/**
 * One model and so many licensed hospitals, with every kind of limit present and none of them near. A limit that is absent
 * costs nothing, and would make the figures too good.
 */
export function benchDeclarations(options: { hostUrl: string; tenants: number }): readonly DeclarationFile[] {
  const tenants = Array.from({ length: options.tenants }, (_, index) => tenantFiles(tenantName(index)))
  return [
    { path: `models/${benchModel}.yaml`, text: modelText(options.hostUrl) },
    { path: 'plans/standard.yaml', text: planText },
    { path: 'policies/licensed-use.cedar', text: policyText },
    ...ownerFiles,
    ...tenants.flat(),
  ]
}

const modelText = (hostUrl: string) => `model: ${benchModel}
title: Bench
protocol: openai
versions:
  - version: 1.0.0
    stage: licensed
    limits: { contextTokens: 32768, outputTokens: 4096 }
    deployments:
      - { name: east, url: "${hostUrl}/v1", model: ${benchModel}, region: us-east, weight: 1 }
`

const planText = `plan: standard
currency: USD
prices:
  - { meter: input_tokens, per: 1000000, amount: "3.00" }
  - { meter: output_tokens, per: 1000000, amount: "15.00" }
`

/** The policies that the owner ships, without names that this tree does not have. */
const policyText = `@id("licensed-use")
permit (principal, action in Action::"call", resource);
@id("predictors-are-for-professionals") @reason("Predictors are for professionals.")
forbid (principal, action == Action::"infer", resource)
when { [Audience::"patient", Audience::"consumer"].contains(principal.audience) };
@id("sealed-is-sealed") @reason("This version is sealed.")
forbid (principal, action, resource) when { resource.stage == Stage::"sealed" };
`

/** Every tree has an owner; this one does not call. */
const ownerFiles: readonly DeclarationFile[] = [
  {
    path: 'clinic/tenant.yaml',
    text: `tenant: clinic
name: The Clinic
kind: owner
facilities:
  - { facility: main, name: Main Campus, region: us-east }
applications:
  - { application: test, audience: expert, facilities: [main], purposes: [HTEST], scopes: [chat] }
`,
  },
  {
    path: 'clinic/license.yaml',
    text: `license: LIC-OWNER
plan: standard
term: { start: 2026-01-01T00:00:00Z, end: 2036-01-01T00:00:00Z, graceDays: 0 }
entitlements:
  - { model: ${benchModel}, versions: "1.0.0", pin: 1.0.0, audiences: [expert], purposes: [HTEST] }
residency: [us-east]
privacy: { expert: pass }
`,
  },
]

const tenantFiles = (tenant: string): readonly DeclarationFile[] => [
  {
    path: `${tenant}/tenant.yaml`,
    text: `tenant: ${tenant}
name: ${tenant}
kind: hospital
facilities:
  - { facility: general, name: General, region: us-east }
applications:
  - { application: ${benchApplication}, audience: clinician, facilities: [general], purposes: [TREAT], scopes: [chat] }
`,
  },
  {
    path: `${tenant}/license.yaml`,
    text: `license: LIC-${tenant.toUpperCase()}
plan: standard
term: { start: 2026-01-01T00:00:00Z, end: 2036-01-01T00:00:00Z, graceDays: 14 }
entitlements:
  - { model: ${benchModel}, versions: ">=1.0.0 <2.0.0", pin: 1.0.0, audiences: [clinician], purposes: [TREAT] }
rates: { requestsPerMinute: 1000000000, tokensPerMinute: 1000000000, concurrency: 100000 }
budgets:
  - { meter: tokens, limit: 1000000000000000, per: month, overage: deny }
  - { meter: cost, limit: "1000000000.00", per: month, overage: deny }
residency: [us-east]
privacy: { clinician: pass }
`,
  },
]
