import type {
  Change,
  Current,
  EndableKind,
  FieldChange,
  Kept,
  Plan,
  RevisedKind,
  RevisionChange,
  RowChange,
} from './change.ts'
import { err, ok, type Instant, type Json, type Result } from '../kernel/index.ts'
import { licenseDocument, widens } from '../licensing/index.ts'
import { flatten, planDocument, policyWords } from './document.ts'
import type { Declarations } from './declarations.ts'
import { noteOddities } from './note-oddities.ts'
import type { Problem } from './problem.ts'
import { refuseChanges } from './refuse-changes.ts'
import { nameOf, rowsOf, type Rows, type VersionRow } from './rows.ts'

/** What has to change for the database to say what the tree says, or why it must not. Pure; writes nothing. */
export function planChanges(current: Current, declared: Declarations, now: Instant): Result<Plan, readonly Problem[]> {
  const problems = refuseChanges(current, declared, now)
  if (problems.length > 0) return err(problems)
  const rows = rowsOf(declared)
  const models = new Set(rows.model.map(nameOf.model))
  const versions = new Set(rows.version.map(nameOf.version))
  const tenants = new Set(rows.tenant.map(nameOf.tenant))
  // What belongs to something that left the tree is not looked at: it ends with it, and returns with it as it was.
  const ofModels = current.version.filter(({ row }) => models.has(row.model))
  const ofVersions = current.deployment.filter(({ row }) => versions.has(`${row.model}@${row.version}`))
  const facilities = current.facility.filter(({ row }) => tenants.has(row.tenant))
  const applications = current.application.filter(({ row }) => tenants.has(row.tenant))
  const programs = new Set(rows.application.map(programOf))
  const clients = current.client.filter(({ row }) => programs.has(programOf(row)))
  const signIns = current.sign_in.filter(({ row }) => tenants.has(row.tenant))
  // A tenant that never restricted anything has no row that says so.
  const restricted = new Set(current.policy.map(({ row }) => nameOf.policy(row)))
  const policyRows = rows.policy.filter((row) => row.policies.length > 0 || restricted.has(nameOf.policy(row)))
  const changes: readonly Change[] = [
    ...compare('model', nameOf.model, current.model, rows.model),
    ...compare('version', nameOf.version, ofModels, keepWhatStays(ofModels, rows.version)),
    ...compare('deployment', nameOf.deployment, ofVersions, rows.deployment),
    ...revise('plan', nameOf.plan, planDocument, current.plan, rows.plan),
    ...compare('tenant', nameOf.tenant, current.tenant, rows.tenant),
    ...compare('facility', nameOf.facility, facilities, rows.facility),
    ...compare('application', nameOf.application, applications, rows.application),
    ...compare('client', nameOf.client, clients, rows.client),
    ...compare('sign_in', nameOf.sign_in, signIns, rows.sign_in),
    ...revise('license', nameOf.license, licenseDocument, current.license, rows.license),
    ...revise('policy', nameOf.policy, policyWords, current.policy, policyRows),
  ]
  return ok({ changes, notes: noteOddities(current, declared), widening: wideningOf(current, changes) })
}

const programOf = (row: { tenant: string; application: string }): string => `${row.tenant}/${row.application}`

function wideningOf(current: Current, changes: readonly Change[]): Plan['widening'] {
  const before = new Map(current.license.map(({ row }) => [row.license, row]))
  return changes.flatMap((change) => {
    if (change.what !== 'license') return []
    const words = widens(before.get(change.row.license), change.row)
    return words.length === 0 ? [] : [{ license: change.row.license, widens: words }]
  })
}

/**
 * A recall is for good, and so is what a version is: a file that does not mention a recall does not undo it
 * (`note-oddities.ts` says so), one without a card does not unsay it, and a recalled version goes nowhere any more.
 */
function keepWhatStays(current: Current['version'], declared: readonly VersionRow[]): readonly VersionRow[] {
  const kept = new Map(current.map(({ row }) => [nameOf.version(row), row]))
  return declared.map((row) => {
    const before = kept.get(nameOf.version(row))
    if (before === undefined) return row
    return {
      ...row,
      stage: before.recalled === undefined ? row.stage : before.stage,
      recalled: row.recalled ?? before.recalled,
      upstream: before.upstream.length === 0 ? row.upstream : before.upstream,
      card: row.card ?? before.card,
    }
  })
}

/** A row's columns that are its name are equal on both sides of a comparison; on an added one they say nothing new. */
const namingColumns = new Set(['model', 'version', 'deployment', 'tenant', 'facility', 'application', 'clientId'])
/** A sign-off is written with the step that uses it. */
const isOfStep = (field: string): boolean => field.startsWith('signOffs')

function compare<What extends EndableKind>(
  what: What,
  name: (row: Rows[What][number]) => string,
  current: readonly Kept<What>[],
  declared: readonly Rows[What][number][],
): readonly RowChange<What>[] {
  const before = new Map(current.map((kept) => [name(kept.row), kept]))
  const after = new Set(declared.map(name))
  const kept = declared.flatMap((row): readonly RowChange<What>[] => {
    const known = before.get(name(row))
    const fields = fieldChanges(known?.row, row).filter(({ field }) => !namingColumns.has(field) && !isOfStep(field))
    if (known === undefined) return [{ what, act: 'add', name: name(row), fields, row }]
    if (known.ended) return [{ what, act: 'return', name: name(row), fields, row }]
    return fields.length === 0 ? [] : [{ what, act: 'change', name: name(row), fields, row }]
  })
  const gone = current.filter(({ row, ended }) => !ended && !after.has(name(row)))
  return [...kept, ...gone.map(({ row }) => ({ what, act: 'end' as const, name: name(row), fields: [], row }))]
}

/** Plans, licenses and policies are not edited: what differs is a new revision. One that left the tree stays for the ledger. */
function revise<What extends RevisedKind>(
  what: What,
  name: (row: Rows[What][number]) => string,
  document: (row: Rows[What][number]) => Json,
  current: readonly { readonly row: Rows[What][number]; readonly revision: number }[],
  declared: readonly Rows[What][number][],
): readonly RevisionChange<What>[] {
  const before = new Map(current.map((kept) => [name(kept.row), kept]))
  return declared.flatMap((row): readonly RevisionChange<What>[] => {
    const known = before.get(name(row))
    const fields = fieldChanges(known === undefined ? undefined : document(known.row), document(row))
    if (known === undefined) return [{ what, act: 'add', name: name(row), fields, row, revision: 1 }]
    return fields.length === 0
      ? []
      : [{ what, act: 'change', name: name(row), fields, row, revision: known.revision + 1 }]
  })
}

function fieldChanges(from: Json | undefined, to: Json): readonly FieldChange[] {
  const before = flatten(from)
  const after = flatten(to)
  return [...new Set([...before.keys(), ...after.keys()])].flatMap((field) => {
    const change = { field, from: before.get(field), to: after.get(field) }
    return change.from === change.to ? [] : [change]
  })
}
