import { audiences, operations, purposes, tenantKinds } from '../identity/index.ts'
import { protocols } from './protocol.ts'
import { stages } from './stage.ts'

/** What can stand behind a dot, by what stands before it. */
export const attributes = {
  Application: { audience: 'Audience', tenant: 'Tenant' },
  Tenant: { kind: 'TenantKind' },
  Facility: { region: 'String', tenant: 'Tenant' },
  Model: { protocol: 'Protocol' },
  ModelVersion: { model: 'Model', version: 'String', stage: 'Stage' },
  context: { purpose: 'Purpose', facility: 'Facility', evaluation: 'Bool', grace: 'Bool' },
} as const

/** Words that are entities of their own, so that a slip in one is found when a policy is checked. */
export const words = {
  Audience: audiences,
  TenantKind: tenantKinds,
  Purpose: purposes,
  Stage: stages,
  Protocol: protocols,
} as const

export const actions = operations

/** Things that are declared under tenants/, by their names. */
export const named = ['Tenant', 'Application', 'Facility', 'Model', 'ModelVersion'] as const
export type NamedType = (typeof named)[number]

const record = (of: Readonly<Record<string, string>>): string =>
  Object.entries(of)
    .map(([name, type]) => `  ${name}: ${type},\n`)
    .join('')
const list = (names: readonly string[]): string => names.map((name) => `"${name}"`).join(', ')

/** The schema that every policy is checked against, in the words of Cedar: who may do what with which version, and when. */
export const cedarSchema = `// Made by \`npm run generate\`: what a policy under tenants/ can speak of.

// An organization: Tenant::"lakeside-health".
entity Tenant {
${record(attributes.Tenant)}};
// One of its sites: Facility::"lakeside-health/lakeside-north".
entity Facility in [Tenant] {
${record(attributes.Facility)}};
// One of its programs, which calls: Application::"lakeside-health/ehr".
entity Application in [Tenant] {
${record(attributes.Application)}};
// A model: Model::"clinical-assistant".
entity Model {
${record(attributes.Model)}};
// One version of it: ModelVersion::"clinical-assistant@1.2.0".
entity ModelVersion in [Model] {
${record(attributes.ModelVersion)}};

${Object.entries(words)
  .map(([type, members]) => `entity ${type} enum [${list(members)}];\n`)
  .join('')}
// Every call of a model is one of these, and all of them are Action::"call".
action "call";
action ${list(actions)} in ["call"] appliesTo {
  principal: Application,
  resource: ModelVersion,
  context: {
${record(attributes.context).replaceAll(/^/gm, '  ').trimEnd()}
  },
};
`
