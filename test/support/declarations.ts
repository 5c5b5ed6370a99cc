import type { DeclarationFile } from '../../src/tenants/index.ts'

/**
 * A small owner with its licensees, for tests: every audience, every stage, two facilities, a predictor, a recalled
 * version, policies that stand in nobody's way. `MODEL-HOST` in a deployment's address is replaced by the test's own
 * model host. Limits are wide; a test that is about a limit replaces the text.
 */
export const testTree: Readonly<Record<string, string>> = {
  'models/scribe.yaml': `model: scribe
title: Scribe
protocol: openai
versions:
  - version: 1.0.0
    stage: consumer
    limits: { contextTokens: 8192, outputTokens: 1024 }
    deployments:
      - { name: east, url: "MODEL-HOST/v1", model: scribe-1, region: us-east, weight: 1, credential: { env: TEST_HOST_KEY } }
  - version: 1.1.0
    stage: licensed
    limits: { contextTokens: 8192, outputTokens: 1024 }
    deployments:
      - { name: east, url: "MODEL-HOST/v1", model: scribe-1-1, region: us-east, weight: 1 }
  - version: 1.2.0
    stage: licensed
    recalled: wrong dosing tables
    limits: { contextTokens: 8192, outputTokens: 1024 }
    deployments:
      - { name: east, url: "MODEL-HOST/v1", model: scribe-1-2, region: us-east, weight: 1 }
  - version: 2.0.0
    stage: expert
    limits: { contextTokens: 8192, outputTokens: 1024 }
    deployments:
      - { name: east, url: "MODEL-HOST/v1", model: scribe-2, region: us-east, weight: 1 }
`,
  'models/ecg-low-ef.yaml': `model: ecg-low-ef
title: Low ejection fraction from an ECG
protocol: open-inference
versions:
  - version: 3.0.0
    stage: licensed
    deployments:
      - { name: east, url: "MODEL-HOST", model: ecg-low-ef, region: us-east, weight: 1 }
`,
  'plans/standard.yaml': `plan: standard
currency: USD
prices:
  - { meter: input_tokens, per: 1000000, amount: "3.00" }
  - { meter: output_tokens, per: 1000000, amount: "15.00" }
  - { meter: inferences, per: 1, amount: "0.50" }
`,
  'policies/licensed-use.cedar': `@id("licensed-use")
permit (principal, action, resource);
`,
  'clinic/tenant.yaml': `tenant: clinic
name: The Clinic
kind: owner
facilities:
  - { facility: main, name: Main Campus, region: us-east }
applications:
  - { application: bench, audience: expert, facilities: [main], purposes: [HTEST], scopes: [chat, embeddings] }
`,
  'clinic/license.yaml': `license: LIC-OWNER
plan: standard
term: { start: 2026-01-01T00:00:00Z, end: 2036-01-01T00:00:00Z, graceDays: 0 }
entitlements:
  - { model: scribe, versions: ">=1.0.0", pin: 2.0.0, audiences: [expert], purposes: [HTEST] }
rates: { requestsPerMinute: 1000000, tokensPerMinute: 1000000000 }
budgets: []
residency: [us-east]
privacy: { expert: pass }
`,
  'lakeside/tenant.yaml': `tenant: lakeside
name: Lakeside Health
kind: health-system
facilities:
  - { facility: general, name: Lakeside General, region: us-east }
  - { facility: north, name: Lakeside North, region: us-east }
applications:
  - { application: ehr, audience: clinician, facilities: [general, north], purposes: [TREAT, HOPERAT], scopes: [chat, embeddings] }
  - { application: reader, audience: clinician, facilities: [general], purposes: [TREAT], scopes: [infer] }
  - { application: portal, audience: patient, facilities: [general], purposes: [PATRQT], scopes: [chat] }
`,
  'lakeside/policy.cedar': `@id("no-payment") @reason("Nobody here calls for payment.")
forbid (principal, action, resource) when { context.purpose == Purpose::"HPAYMT" };
`,
  'lakeside/license.yaml': `license: LIC-LAKESIDE
plan: standard
term: { start: 2026-01-01T00:00:00Z, end: 2036-01-01T00:00:00Z, graceDays: 14 }
entitlements:
  - { model: scribe, versions: ">=1.0.0 <2.0.0", pin: 1.0.0, audiences: [clinician], purposes: [TREAT, HOPERAT] }
  - { model: scribe, versions: "1.0.0", pin: 1.0.0, audiences: [patient], purposes: [PATRQT] }
  - { model: ecg-low-ef, versions: "3.0.0", pin: 3.0.0, audiences: [clinician], purposes: [TREAT], facilities: [general] }
rates: { requestsPerMinute: 1000000, tokensPerMinute: 1000000000, concurrency: 10000 }
budgets:
  - { meter: tokens, limit: 1000000000, per: month, overage: deny }
residency: [us-east]
privacy: { clinician: pass, patient: pass }
`,
  'prairie/tenant.yaml': `tenant: prairie
name: Prairie Rural Hospital
kind: hospital
facilities:
  - { facility: only, name: Prairie, region: us-east }
applications:
  - { application: trial, audience: clinician, facilities: [only], purposes: [HQUALIMP], scopes: [chat] }
`,
  'prairie/policy.cedar': `@id("no-payment") @reason("Nobody here calls for payment.")
forbid (principal, action, resource) when { context.purpose == Purpose::"HPAYMT" };
`,
  'prairie/license.yaml': `license: LIC-PRAIRIE
plan: standard
term: { start: 2026-01-01T00:00:00Z, end: 2036-01-01T00:00:00Z, graceDays: 0 }
entitlements:
  - { model: scribe, versions: "1.0.0", pin: 1.0.0, audiences: [clinician], purposes: [HQUALIMP] }
rates: { requestsPerMinute: 1000000, tokensPerMinute: 1000000000, concurrency: 10000 }
budgets:
  - { meter: tokens, limit: 1000000000, per: month, overage: deny }
residency: [us-east]
privacy: { clinician: pass }
`,
}

/** The files of a tree, its deployments pointing at a model host, with parts of their text replaced. */
export function treeFor(
  hostUrl: string,
  replace: Readonly<Record<string, (text: string) => string>> = {},
): readonly DeclarationFile[] {
  for (const path of Object.keys(replace)) if (!(path in testTree)) throw new Error(`the test tree has no ${path}`)
  return Object.entries(testTree).map(([path, text]) => ({
    path,
    text: (replace[path]?.(text) ?? text).replaceAll('MODEL-HOST', hostUrl),
  }))
}
