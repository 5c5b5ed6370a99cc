import type pg from 'pg'
import { z } from 'zod'

/**
 * Whose rows a table holds. `tenant`: each its own tenant's. `shared`: what the owner offers to all. `system`: the
 * gateway's own. `migrator`: the owner role's, and the app role has nothing to do with it.
 */
export type TableKind = 'tenant' | 'shared' | 'system' | 'migrator'

/** Every table, and what the app role may do with it. A new table gets a line here, or the tests fail. */
export const tables: Readonly<Record<string, { readonly kind: TableKind; readonly may: string }>> = {
  tenant: { kind: 'tenant', may: 'insert, select, update' },
  facility: { kind: 'tenant', may: 'insert, select, update' },
  application: { kind: 'tenant', may: 'insert, select, update' },
  api_key: { kind: 'tenant', may: 'insert, select, update' },
  client: { kind: 'tenant', may: 'insert, select, update' },
  revoked_token: { kind: 'tenant', may: 'delete, insert, select' },
  assertion_jti: { kind: 'system', may: 'delete, insert, select' },
  license: { kind: 'tenant', may: 'insert, select' },
  license_revision: { kind: 'tenant', may: 'insert, select' },
  license_act: { kind: 'tenant', may: 'insert, select' },
  license_attestation: { kind: 'tenant', may: 'insert, select' },
  budget_account: { kind: 'tenant', may: 'insert, select, update' },
  budget_lease: { kind: 'tenant', may: 'delete, insert, select, update' },
  reservation: { kind: 'tenant', may: 'delete, insert, select' },
  usage_event: { kind: 'tenant', may: 'insert, select' },
  usage_day: { kind: 'tenant', may: 'insert, select, update' },
  usage_hour: { kind: 'tenant', may: 'insert, select, update' },
  audit_entry: { kind: 'tenant', may: 'insert, select' },
  admin_request: { kind: 'tenant', may: 'delete, insert, select, update' },
  sign_in: { kind: 'tenant', may: 'insert, select, update' },
  admin_session: { kind: 'tenant', may: 'delete, insert, select, update' },
  installation: { kind: 'system', may: 'insert, select' },
  admin_token: { kind: 'system', may: 'insert, select, update' },
  change_request: { kind: 'system', may: 'insert, select, update' },
  billing_period: { kind: 'tenant', may: 'insert, select, update' },
  period_closing: { kind: 'tenant', may: 'insert, select' },
  period_reopening: { kind: 'tenant', may: 'insert, select' },
  usage_late: { kind: 'tenant', may: 'insert, select, update' },
  journal_entry: { kind: 'tenant', may: 'insert, select' },
  posting: { kind: 'tenant', may: 'insert, select' },
  invoice: { kind: 'tenant', may: 'insert, select' },
  invoice_line: { kind: 'tenant', may: 'insert, select' },
  invoice_series: { kind: 'system', may: 'insert, select, update' },
  stripe_customer: { kind: 'tenant', may: 'insert, select, update' },
  stripe_lane: { kind: 'tenant', may: 'insert, select, update' },
  stripe_usage: { kind: 'tenant', may: 'insert, select, update' },
  stripe_invoice: { kind: 'tenant', may: 'insert, select, update' },
  stripe_difference: { kind: 'tenant', may: 'insert, select, update' },
  stripe_product: { kind: 'system', may: 'insert, select' },
  stripe_price: { kind: 'system', may: 'insert, select' },
  stripe_meter: { kind: 'system', may: 'insert, select' },
  stripe_event: { kind: 'system', may: 'insert, select' },
  stripe_hour: { kind: 'tenant', may: 'delete, insert, select' },
  stripe_line: { kind: 'tenant', may: 'delete, insert, select' },
  host_report: { kind: 'system', may: 'insert, select' },
  host_usage: { kind: 'system', may: 'insert, select' },
  reconciliation: { kind: 'system', may: 'insert, select' },
  reconciliation_candidate: { kind: 'system', may: 'delete, insert, select' },
  reconciliation_exception: { kind: 'tenant', may: 'insert, select, update' },
  model: { kind: 'shared', may: 'insert, select, update' },
  model_version: { kind: 'shared', may: 'insert, select, update' },
  version_act: { kind: 'shared', may: 'insert, select' },
  version_card: { kind: 'shared', may: 'insert, select' },
  change_notice: { kind: 'tenant', may: 'insert, select' },
  change_notice_acknowledgement: { kind: 'tenant', may: 'insert, select' },
  deployment: { kind: 'shared', may: 'insert, select, update' },
  policy_revision: { kind: 'shared', may: 'insert, select' },
  tenant_policy_revision: { kind: 'tenant', may: 'insert, select' },
  plan_revision: { kind: 'shared', may: 'insert, select' },
  instance: { kind: 'system', may: 'delete, insert, select, update' },
  usage_batch: { kind: 'system', may: 'delete, insert, select, update' },
  usage_batch_refused: { kind: 'system', may: 'insert, select' },
  rate_window: { kind: 'system', may: 'delete, insert, select, update' },
  directory_change: { kind: 'system', may: 'delete, insert, select' },
  schema_migration: { kind: 'migrator', may: '' },
  schema_migration_lock: { kind: 'migrator', may: '' },
}

export const tablesOf = (kind: TableKind): readonly string[] =>
  Object.keys(tables).filter((table) => tables[table]?.kind === kind)

/** What may run with the owner's rights at the app role's wish. */
const ownersFunctions = ['ensure_audit_months', 'ensure_usage_months']

const ownRows = `CASE WHEN (current_setting('app.system'::text, true) = 'on'::text) THEN true ELSE (tenant_id = (current_setting('app.tenant_id'::text))::uuid) END`
const systemOnly = `(current_setting('app.system'::text, true) = 'on'::text)`
const toApp = 'to {formulary_app}'
const policies: Readonly<Record<TableKind, readonly string[]>> = {
  tenant: [`own_rows: all ${toApp} using ${ownRows} with check ${ownRows}`],
  shared: [
    `readable: select ${toApp} using true`,
    `system_writes: all ${toApp} using ${systemOnly} with check ${systemOnly}`,
  ],
  system: [`system_only: all ${toApp} using ${systemOnly} with check ${systemOnly}`],
  migrator: [],
}
/** Whoever changes a declaration notes that it did; only the system reads the notes. */
const policiesOfNotes = [
  `anyone_appends: insert ${toApp} with check true`,
  `system_prunes: delete ${toApp} using ${systemOnly}`,
  `system_reads: select ${toApp} using ${systemOnly}`,
]

const Relation = z.object({
  name: z.string(),
  /** The table itself, or of a partition the table that it is part of. */
  root: z.string(),
  kind: z.string(),
  owner: z.string(),
  enabled: z.boolean(),
  forced: z.boolean(),
  has_tenant_id: z.boolean(),
  may: z.string(),
  others_may: z.boolean(),
  policies: z.array(z.string()),
})
type Relation = z.infer<typeof Relation>

const relationsText = `
  select c.oid::regclass::text as name,
    coalesce(pg_partition_root(c.oid), c.oid)::regclass::text as root,
    c.relkind as kind, pg_get_userbyid(c.relowner) as owner, c.relrowsecurity as enabled, c.relforcerowsecurity as forced,
    exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped)
      as has_tenant_id,
    array_to_string(array(select lower(acl.privilege_type) from aclexplode(c.relacl) acl
      where acl.grantee = 'formulary_app'::regrole order by 1), ', ') as may,
    exists (select from aclexplode(c.relacl) acl
      where acl.grantee not in (c.relowner, 'formulary_app'::regrole) or acl.is_grantable and acl.grantee <> c.relowner)
      or exists (select from pg_attribute a where a.attrelid = c.oid and a.attacl is not null) as others_may,
    array(select p.polname || ': '
        || case p.polcmd when '*' then 'all' when 'r' then 'select' when 'a' then 'insert' when 'd' then 'delete' else 'update' end
        || case when p.polpermissive then '' else ' restrictive' end
        || ' to ' || p.polroles::regrole[]::text
        || coalesce(' using ' || pg_get_expr(p.polqual, p.polrelid), '')
        || coalesce(' with check ' || pg_get_expr(p.polwithcheck, p.polrelid), '')
      from pg_policy p where p.polrelid = c.oid order by p.polname) as policies
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where n.nspname !~ '^pg_' and n.nspname <> 'information_schema' and c.relkind in ('r', 'p', 'v', 'm', 'f')
  order by 1`

/** What is wrong with how the database is protected, a sentence each. Nothing is wrong when there is none. */
export async function protectionFindings(owner: pg.Pool): Promise<readonly string[]> {
  const { rows } = await owner.query(relationsText)
  const relations = z.array(Relation).parse(rows)
  const missing = Object.keys(tables).filter((table) => !relations.some(({ name }) => name === table))
  return [
    ...missing.map((table) => `${table}: is classified and does not exist`),
    ...relations.flatMap((relation) => relationFindings(relation).map((finding) => `${relation.name}: ${finding}`)),
    ...(await roleFindings(owner)),
  ]
}

function relationFindings(relation: Relation): readonly string[] {
  const isPartition = relation.root !== relation.name
  const expected = tables[relation.root]
  if (expected === undefined) return ['is not classified']
  const findings: string[] = []
  if (relation.kind !== 'r' && relation.kind !== 'p') findings.push('is not a table')
  if (relation.owner !== 'formulary_owner') findings.push(`belongs to ${relation.owner}`)
  if (expected.kind !== 'migrator' && !relation.enabled) findings.push('row security is not enabled')
  if (expected.kind !== 'migrator' && !relation.forced) findings.push('row security is not forced')
  if (relation.has_tenant_id !== (expected.kind === 'tenant') && relation.name !== 'directory_change')
    findings.push(`is classified as ${expected.kind}, ${relation.has_tenant_id ? 'with' : 'without'} a tenant_id`)
  // A partition is reached through the whole table, whose policy then holds; by itself it is nobody's.
  const may = isPartition ? '' : expected.may
  if (relation.may !== may) findings.push(`the app role may ${relation.may} there, and not: ${may}`)
  if (relation.others_may) findings.push('somebody else has a grant, or there is one on a column')
  const written = isPartition ? [] : relation.name === 'directory_change' ? policiesOfNotes : policies[expected.kind]
  const found = relation.policies.map((policy) => policy.replaceAll(/\s+/g, ' '))
  if (JSON.stringify(found) !== JSON.stringify(written)) findings.push(`has the policies ${JSON.stringify(found)}`)
  return findings
}

const Role = z.object({
  strong: z.boolean(),
  member: z.boolean(),
  creates: z.boolean(),
  owned: z.array(z.string()),
  owners_functions: z.array(z.string()),
})

const roleText = `
  select r.rolsuper or r.rolbypassrls or r.rolcreaterole or r.rolcreatedb or r.rolreplication as strong,
    exists (select from pg_auth_members m where m.member = r.oid) as member,
    has_database_privilege(r.oid, current_database(), 'create, temporary')
      or exists (select from pg_namespace n where n.nspname !~ '^pg_' and has_schema_privilege(r.oid, n.oid, 'create'))
      as creates,
    array(select c.relname::text from pg_class c where c.relowner = r.oid
      union select p.proname::text from pg_proc p where p.proowner = r.oid
      union select n.nspname::text from pg_namespace n where n.nspowner = r.oid
      union select d.datname::text from pg_database d where d.datdba = r.oid) as owned,
    array(select p.proname::text from pg_proc p join pg_namespace n on n.oid = p.pronamespace
      where n.nspname !~ '^pg_' and n.nspname <> 'information_schema' and p.prosecdef
        and has_function_privilege(r.oid, p.oid, 'execute') order by 1) as owners_functions
  from pg_roles r where r.rolname = 'formulary_app'`

async function roleFindings(owner: pg.Pool): Promise<readonly string[]> {
  const { rows } = await owner.query(roleText)
  const role = Role.parse(rows[0])
  const functions = role.owners_functions.join(', ')
  return [
    ...(role.strong ? ['formulary_app: has an attribute that frees it'] : []),
    ...(role.member ? ['formulary_app: is a member of another role'] : []),
    ...(role.creates ? ['formulary_app: may create something'] : []),
    ...role.owned.map((name) => `formulary_app: owns ${name}`),
    ...(functions === ownersFunctions.join(', ') ? [] : [`formulary_app: runs as the owner: ${functions}`]),
  ]
}
