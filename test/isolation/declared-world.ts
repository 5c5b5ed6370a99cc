import { isoOf, plusDays, type Instant } from '../../src/kernel/index.ts'
import type { DeclarationFile } from '../../src/tenants/index.ts'

/**
 * The declarations of the matrix's world, beside those of the test tree. With `mercy` everything is right; each other
 * tenant differs in what its name says. Names are long words, so that one in an answer is no accident.
 */
export const tenantNames = [
  'mercy',
  'neighbor',
  'suspended',
  'revoked',
  'early',
  'expired',
  'grace',
  'abroad',
  'gone',
] as const
export type TenantName = (typeof tenantNames)[number]

/** Pairs of a model that chats and one that infers, alike in all else, so that each stranger can ask at every route. */
export const models = {
  licensed: { chat: 'notes', infer: 'rhythm' },
  cliniciansOnly: { chat: 'charts', infer: 'waves' },
  /** Licensed to the neighbor only. */
  theNeighbors: { chat: 'hidden-notes', infer: 'hidden-rhythm' },
  nobodys: { chat: 'no-such-notes', infer: 'no-such-rhythm' },
} as const
export type ModelPair = keyof typeof models

export const versions = {
  pinned: '1.0.0',
  recalled: '1.1.0',
  expertStage: '1.2.0',
  notForPatients: '1.3.0',
  outOfRange: '2.0.0',
  nobodys: '9.9.9',
} as const

export const licenseOf = (tenant: TenantName): string => `LIC-${tenant.toUpperCase()}-77`

/** The sites of a tenant, by what they are to its application on the ward. */
export const sitesOf = (tenant: TenantName) => ({
  covered: `${tenant}-quayside`,
  /** The application's, but not the entitlement's. */
  notEntitled: `${tenant}-riverbank`,
  /** The tenant's, but not the application's. */
  notTheApplications: `${tenant}-hilltop`,
})

/** Only tenants that the rest of this world knows under these names; a site's name is not a model's. */
export const namesOf = (tenant: TenantName): readonly string[] => [
  licenseOf(tenant),
  hospitalOf(tenant),
  ...Object.values(sitesOf(tenant)),
]

const hospitalOf = (tenant: TenantName): string => `Hospital of ${tenant}`

export function modelFiles(hostUrl: string): readonly DeclarationFile[] {
  return [models.licensed, models.cliniciansOnly, models.theNeighbors].flatMap(({ chat, infer }) => [
    modelFile(chat, { protocol: 'openai', url: `${hostUrl}/v1` }),
    modelFile(infer, { protocol: 'open-inference', url: hostUrl }),
  ])
}

function modelFile(model: string, { protocol, url }: { protocol: string; url: string }): DeclarationFile {
  const limits = protocol === 'openai' ? '    limits: { contextTokens: 8192, outputTokens: 64 }\n' : ''
  const version = (number: string, stage: string, more = '') => `  - version: ${number}
    stage: ${stage}
${more}${limits}    deployments:
      - { name: east, url: "${url}", model: upstream-${model}, region: us-east, credential: { env: TEST_HOST_KEY } }
`
  return {
    path: `models/${model}.yaml`,
    text:
      `model: ${model}\ntitle: The title of ${model}\nprotocol: ${protocol}\nversions:\n` +
      version(versions.pinned, 'consumer') +
      version(versions.recalled, 'consumer', '    recalled: wrong tables\n') +
      version(versions.expertStage, 'expert') +
      version(versions.notForPatients, 'licensed') +
      version(versions.outOfRange, 'consumer'),
  }
}

/** With `closing`, mercy has an application more. */
export function tenantFiles(tenant: TenantName, how: { now: Instant; closing: boolean }): readonly DeclarationFile[] {
  const { covered, notEntitled } = sitesOf(tenant)
  const application = (name: string, audience: string, purpose: string) =>
    `  - { application: ${name}, audience: ${audience}, facilities: [${covered}, ${notEntitled}], purposes: [${purpose}], scopes: [chat, embeddings, infer, invoices] }\n`
  const sites = Object.values(sitesOf(tenant)).map(
    (site) => `  - { facility: ${site}, name: Site ${site}, region: us-east }\n`,
  )
  return [
    {
      path: `${tenant}/tenant.yaml`,
      text: `tenant: ${tenant}
name: ${hospitalOf(tenant)}
kind: hospital
facilities:
${sites.join('')}applications:
${application('ward', 'clinician', 'TREAT')}${application('portal', 'patient', 'PATRQT')}${
        how.closing && tenant === 'mercy' ? application('closing', 'clinician', 'TREAT') : ''
      }`,
    },
    {
      path: `${tenant}/license.yaml`,
      text: `license: ${licenseOf(tenant)}
plan: standard
term: ${termOf(tenant, how.now)}
entitlements:
${entitlements(tenant, covered)}rates: { requestsPerMinute: 1000000, tokensPerMinute: 1000000000, concurrency: 10000 }
budgets:
  - { meter: tokens, limit: 1000000000, per: month, overage: deny }
residency: [us-east]
privacy: { clinician: pass, patient: pass }
`,
    },
  ]
}

function termOf(tenant: TenantName, now: Instant): string {
  const term = (startDays: number, endDays: number) =>
    `{ start: ${isoOf(plusDays(now, startDays))}, end: ${isoOf(plusDays(now, endDays))}, graceDays: 14 }`
  switch (tenant) {
    case 'early':
      return term(30, 365)
    case 'expired':
      return term(-365, -15)
    case 'grace':
      return term(-365, -13)
    default:
      return term(-30, 365)
  }
}

function entitlements(tenant: TenantName, site: string): string {
  const right = (model: string, audience: string, purpose: string) =>
    `  - { model: ${model}, versions: ">=1.0.0 <2.0.0", pin: ${versions.pinned}, audiences: [${audience}], purposes: [${purpose}], facilities: [${site}] }\n`
  const main = tenant === 'neighbor' ? models.theNeighbors : models.licensed
  return [
    right(main.chat, 'clinician', 'TREAT'),
    right(main.infer, 'clinician', 'TREAT'),
    right(main.chat, 'patient', 'PATRQT'),
    right(main.infer, 'patient', 'PATRQT'),
    right(models.cliniciansOnly.chat, 'clinician', 'TREAT'),
    right(models.cliniciansOnly.infer, 'clinician', 'TREAT'),
  ].join('')
}
