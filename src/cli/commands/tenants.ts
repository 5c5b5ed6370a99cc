import { assertNever, type Instant, type Result } from '../../kernel/index.ts'
import type { Database } from '../../db/index.ts'
import {
  applyDeclarations,
  formatPlan,
  formatProblem,
  inFolder,
  planDeclarations,
  type Declarations,
  type Plan,
  type Problem,
} from '../../tenants/index.ts'
import { readTenantsFolder } from '../read-tenants-folder.ts'

export interface TenantsNeeds {
  out(line: string): void
  err(line: string): void
  readonly json: boolean
  readonly database: Database
  readonly tenantsDir: string
  readonly now: Instant
}

const usage = [
  'usage: formulary tenants plan    what would change in the database, as a diff; changes nothing',
  '       formulary tenants apply   the same, done in one transaction',
]

/**
 * `formulary tenants plan|apply`. Status 0: planned or applied; 1: the declarations were refused; 2: not how it is used.
 * @throws Failure when the database cannot be reached.
 */
export async function runTenants(args: readonly string[], io: TenantsNeeds): Promise<0 | 1 | 2> {
  const verb = verbOf(args)
  if (verb === undefined) {
    for (const line of usage) io.err(line)
    return 2
  }
  const declarations = await readTenantsFolder(io.tenantsDir)
  const plan = declarations.ok ? await run(verb, io, declarations.value) : declarations
  if (!plan.ok) {
    reportProblems(plan.error, io)
    return 1
  }
  reportPlan(verb, plan.value, io)
  return 0
}

type Verb = 'plan' | 'apply'

function verbOf([verb, ...rest]: readonly string[]): Verb | undefined {
  return rest.length === 0 && (verb === 'plan' || verb === 'apply') ? verb : undefined
}

function run(
  verb: Verb,
  { database, now }: TenantsNeeds,
  declarations: Declarations,
): Promise<Result<Plan, readonly Problem[]>> {
  switch (verb) {
    case 'plan':
      return planDeclarations(database, declarations, now)
    case 'apply':
      return applyDeclarations(database, declarations, now)
    default:
      return assertNever(verb, 'tenants')
  }
}

/** Stable for programs: names, not ids, and no row of the database. */
function reportPlan(verb: Verb, plan: Plan, io: TenantsNeeds): void {
  if (!io.json) {
    io.out(formatPlan(plan))
    if (verb === 'apply' && plan.changes.length > 0) io.out('Applied.')
    return
  }
  const changes = plan.changes.map(({ row: _row, ...change }) => change)
  io.out(JSON.stringify({ applied: verb === 'apply', changes, notes: plan.notes }))
}

function reportProblems(problems: readonly Problem[], io: TenantsNeeds): void {
  if (io.json) {
    const listed = problems.map((problem) => ({ ...problem, file: inFolder(problem, io.tenantsDir) }))
    io.out(JSON.stringify({ applied: false, problems: listed }))
    return
  }
  for (const problem of problems) for (const line of formatProblem(problem, io.tenantsDir)) io.err(line)
  io.err(
    problems.length === 1 ? '1 problem; nothing was changed.' : `${problems.length} problems; nothing was changed.`,
  )
}
