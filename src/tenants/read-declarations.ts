import type { z } from 'zod'
import { err, ok, type Result } from '../kernel/index.ts'
import { checkLicense } from './check-license.ts'
import { checkModel } from './check-model.ts'
import { checkPlan } from './check-plan.ts'
import { checkPolicies, keptPolicies } from './check-policies.ts'
import { checkTenant } from './check-tenant.ts'
import { checkTree } from './check-tree.ts'
import type { Declarations, Declared, Tree } from './declarations.ts'
import { explainIssue } from './explain-issue.ts'
import { placeOf, reservedNames } from './layout.ts'
import { PolicyFile } from './policy-file.ts'
import { byText, quoted, sortProblems, type Problem } from './problem.ts'
import { files, type FileKind, type LicenseFile, type PlanFile } from './schema.ts'
import { Source } from './source.ts'

export interface DeclarationFile {
  /** Relative to the folder of declarations, with slashes: `lakeside-health/license.yaml`. */
  readonly path: string
  readonly text: string
}

/**
 * Reads the files of tenants/. Either all of them agree, with themselves and with each other, or every problem of
 * every file is told, in the order of files and lines.
 */
export function readDeclarations(declared: readonly DeclarationFile[]): Result<Declarations, readonly Problem[]> {
  const problems: Problem[] = []
  const tree = readFiles(declared, problems)
  for (const model of readable(tree.models)) problems.push(...checkModel(model))
  for (const plan of readable(tree.plans)) problems.push(...checkPlan(plan, tree))
  for (const [name, tenant] of tree.tenants) if (tenant !== undefined) problems.push(...checkTenant(name, tenant, tree))
  for (const [tenant, license] of tree.licenses)
    if (license !== undefined) problems.push(...checkLicense(tenant, license, tree))
  problems.push(...checkTree(tree), ...checkPolicies(tree))
  if (problems.length > 0) return err(sortProblems(problems))
  return ok({
    models: readable(tree.models),
    plans: readable(tree.plans),
    tenants: [...tree.tenants].flatMap(([name, tenant]) => {
      const license = tree.licenses.get(name)
      const policy = tree.tenantPolicies.get(name)
      if (tenant === undefined || license === undefined) return []
      return [{ tenant, license, policies: policy === undefined ? [] : keptPolicies([policy]) }]
    }),
    policies: keptPolicies(tree.policies),
  })
}

/** One license by itself. What it names is not looked up here. */
export function readLicenseFile(file: DeclarationFile): Result<Declared<LicenseFile>, readonly Problem[]> {
  const source = Source.read(file.path, file.text)
  if (!source.ok) return source
  const problems: Problem[] = []
  const read = readAs('license', files.license, source.value, problems)
  return read === undefined ? err(sortProblems(problems)) : ok(read)
}

/** One plan by itself. */
export function readPlanFile(file: DeclarationFile): Result<Declared<PlanFile>, readonly Problem[]> {
  const source = Source.read(file.path, file.text)
  if (!source.ok) return source
  const problems: Problem[] = []
  const read = readAs('plan', files.plan, source.value, problems)
  return read === undefined ? err(sortProblems(problems)) : ok(read)
}

const readable = <T>(declared: ReadonlyMap<string, Declared<T> | undefined>): readonly Declared<T>[] =>
  [...declared.values()].filter((one) => one !== undefined)

function readFiles(declared: readonly DeclarationFile[], problems: Problem[]): Tree {
  const models: Mutable<Tree['models']> = new Map()
  const plans: Mutable<Tree['plans']> = new Map()
  const tenants: Mutable<Tree['tenants']> = new Map()
  const licenses: Mutable<Tree['licenses']> = new Map()
  const policies: PolicyFile[] = []
  const tenantPolicies: Mutable<Tree['tenantPolicies']> = new Map()
  for (const { path, text } of declared.toSorted((a, b) => byText(a.path, b.path))) {
    const place = placeOf(path)
    if (!place.ok) problems.push(place.error)
    if (!place.ok || place.value === undefined) continue
    const { kind, name } = place.value
    if (kind === 'policies') policies.push(new PolicyFile(path, text))
    if (kind === 'tenant-policy') tenantPolicies.set(name, new PolicyFile(path, text))
    if (kind === 'policies' || kind === 'tenant-policy') continue
    const source = Source.read(path, text)
    if (!source.ok) problems.push(...source.error)
    const read = source.ok ? source.value : undefined
    if (kind === 'model') models.set(name, readAs('model', files.model, read, problems))
    if (kind === 'plan') plans.set(name, readAs('plan', files.plan, read, problems))
    if (kind === 'tenant') tenants.set(name, readAs('tenant', files.tenant, read, problems))
    if (kind === 'license') licenses.set(name, readAs('license', files.license, read, problems))
    if (read !== undefined && kind !== 'license') problems.push(...checkName(kind, name, read))
  }
  return { models, plans, tenants, licenses, policies, tenantPolicies }
}

type Mutable<M> = M extends ReadonlyMap<infer K, infer V> ? Map<K, V> : never

function readAs<T>(
  kind: FileKind,
  schema: z.ZodType<T>,
  source: Source | undefined,
  problems: Problem[],
): Declared<T> | undefined {
  if (source === undefined) return undefined
  const parsed = schema.safeParse(source.data)
  if (parsed.success) return { value: parsed.data, source }
  problems.push(...parsed.error.issues.flatMap((issue) => explainIssue(kind, source, issue)))
  return undefined
}

/** A declaration lies where its name says, so that it is found by it and cannot be declared twice. */
function checkName(kind: Exclude<FileKind, 'license'>, name: string, source: Source): readonly Problem[] {
  const written = source.written([kind])
  if (written === undefined || written === name) return []
  if (kind === 'tenant' && reservedNames.includes(written))
    return [source.problem([kind], { message: `${written} is a reserved name`, advice: `write tenant: ${name}` })]
  const message = `${quoted(written)} is declared in ${source.file}`
  const advice =
    kind === 'tenant'
      ? `write tenant: ${name}, or rename the folder to ${written}`
      : `write ${kind}: ${name}, or rename the file to ${written}.yaml`
  return [source.problem([kind], { message, advice })]
}
