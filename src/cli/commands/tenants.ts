import { parseArgs } from 'node:util'
import { assertNever, type Instant, type Result } from '../../kernel/index.ts'
import type { Database } from '../../db/index.ts'
import {
  applyDeclarations,
  declaredBy,
  formatPlan,
  formatProblem,
  inFolder,
  planDeclarations,
  type Declarations,
  type Plan,
  type Problem,
} from '../../tenants/index.ts'
import { userName } from '../operator.ts'
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
  '       formulary tenants apply   the same, done in one transaction; --by NAME says who does it, and --approved-by NAME',
  '                                 who else has read it, which whatever allows more than before needs',
]

/**
 * `formulary tenants plan|apply`. Status 0: planned or applied; 1: the declarations were refused; 2: not how it is used.
 * @throws Failure when the database cannot be reached.
 */
export async function runTenants(args: readonly string[], io: TenantsNeeds): Promise<0 | 1 | 2> {
  const asked = readArgs(args)
  if (asked === undefined) {
    for (const line of usage) io.err(line)
    return 2
  }
  const declarations = await readTenantsFolder(io.tenantsDir)
  const plan = declarations.ok ? await run(asked, io, declarations.value) : declarations
  if (!plan.ok) {
    reportProblems(plan.error, io)
    return 1
  }
  reportPlan(asked.verb, plan.value, io)
  return 0
}

type Verb = 'plan' | 'apply'

interface Asked {
  readonly verb: Verb
  readonly by: string
  readonly approvedBy: string | undefined
}

function readArgs(args: readonly string[]): Asked | undefined {
  const { values, positionals, tokens } = parseArgs({
    args: [...args],
    allowPositionals: true,
    strict: false,
    tokens: true,
    options: { by: { type: 'string' }, 'approved-by': { type: 'string' } },
  })
  const [verb, ...more] = positionals
  if (more.length > 0 || (verb !== 'plan' && verb !== 'apply')) return undefined
  if (tokens.some((token) => token.kind === 'option' && (typeof token.value !== 'string' || !names.has(token.name))))
    return undefined
  const named = (value: string | boolean | undefined) => (typeof value === 'string' ? value : undefined)
  return { verb, by: named(values['by']) ?? userName(), approvedBy: named(values['approved-by']) }
}

const names = new Set(['by', 'approved-by'])

function run(
  { verb, by, approvedBy }: Asked,
  { database, now }: TenantsNeeds,
  declarations: Declarations,
): Promise<Result<Plan, readonly Problem[]>> {
  switch (verb) {
    case 'plan':
      return planDeclarations(database, declarations, now)
    case 'apply':
      return applyDeclarations(database, declarations, declaredBy({ by, approvedBy, now }))
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
  io.out(JSON.stringify({ applied: verb === 'apply', changes, notes: plan.notes, widening: plan.widening }))
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
