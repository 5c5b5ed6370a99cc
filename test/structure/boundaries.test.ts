import { execFile } from 'node:child_process'
import { cpSync, globSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'

const project = fileURLToPath(new URL('../../', import.meta.url))

const OUTPUT_BYTES_MAX = 64 * 1024 * 1024

describe('the imports of src/', () => {
  test('the cruiser reads every source file, and finds nothing to object to', async () => {
    const { modules, violations } = await cruise(project)
    const sources = globSync('src/**/*.ts', { cwd: project }).filter((path) => !path.endsWith('.test.ts'))
    expect(modules).toEqual(expect.arrayContaining(sources))
    expect(sources.length).toBeGreaterThan(10)
    expect(violations).toEqual([])
  })
})

/** A small source tree without fault, and what breaks it, one import at a time. */
const SOUND: Record<string, string> = {
  'src/kernel/index.ts': 'export type Instant = number',
  'src/db/index.ts': "import 'pg'\nimport 'kysely'\nimport '../kernel/index.ts'",
  'src/licensing/index.ts': "export * from './store.ts'",
  'src/licensing/store.ts': "import { sql } from 'kysely'\nimport '../db/index.ts'\nexport const one = sql`1`",
  'src/quota/index.ts':
    "import '../licensing/index.ts'\nimport type { Server } from 'node:http'\nexport type S = Server",
  'src/gateway/index.ts': "import '../quota/index.ts'\nimport 'hono'",
  'src/admin/index.ts': "import '../licensing/index.ts'",
  'src/tenants/index.ts': "import '../licensing/index.ts'",
  'src/app.ts': "import './gateway/index.ts'\nimport './admin/index.ts'",
  'src/platform/node/start.ts': "import 'node:fs'\nimport 'undici'\nimport 'pg'\nimport '../../app.ts'",
  'src/platform/workers/start.ts': "import 'cloudflare:workers'\nimport '../../app.ts'",
  'src/cli/formulary.ts': "import 'node:fs'\nimport '../platform/node/start.ts'\nimport '../tenants/index.ts'",
}

/** Rule, what it refuses, and an example. */
const PLANTED: readonly (readonly [rule: string, what: string, path: string, source: string])[] = [
  ['db-imports-later', 'a domain that imports a later one', 'src/db/planted.ts', "import '../quota/index.ts'"],
  [
    'licensing-imports-later',
    'a domain that imports a later one for a type only',
    'src/licensing/planted.ts',
    "import type {} from '../quota/index.ts'",
  ],
  ['quota-imports-later', 'a domain that imports an edge', 'src/quota/planted.ts', "import '../gateway/index.ts'"],
  ['quota-imports-later', 'a domain that exports from app.ts', 'src/quota/planted2.ts', "export * from '../app.ts'"],
  ['kernel-imports-nothing', 'a kernel that needs a package', 'src/kernel/planted.ts', "import 'zod'"],
  ['edge-imports-edge', 'an edge that imports an edge', 'src/gateway/planted.ts', "import '../admin/index.ts'"],
  ['edge-imports-later', 'an edge that imports the app', 'src/jobs/planted.ts', "import '../app.ts'"],
  ['app-imports-runtime', 'an app that imports its platform', 'src/planted.ts', "import './platform/node/start.ts'"],
  [
    'platform-imports-cli',
    'a platform that imports the command',
    'src/platform/node/planted.ts',
    "import '../../cli/formulary.ts'",
  ],
  ['cli-imports-app', 'a command that imports an edge', 'src/cli/planted.ts', "import '../gateway/index.ts'"],
  ['cli-imports-app', 'a command that imports Workers', 'src/cli/planted2.ts', "import '../platform/workers/start.ts'"],
  ['through-the-door', 'an import behind the door', 'src/quota/planted3.ts', "import '../licensing/store.ts'"],
  ['runtime-only-in-platform', 'a domain that reads files', 'src/policy/planted.ts', "import 'node:fs'"],
  [
    'runtime-only-in-platform',
    'a domain that reads files later',
    'src/policy/planted2.ts',
    "export const load = () => import('fs')",
  ],
  ['runtime-only-in-platform', 'a domain made for Workers', 'src/policy/planted3.ts', "import 'cloudflare:workers'"],
  ['runtime-only-in-platform', 'a domain that calls with undici', 'src/routing/planted.ts', "import 'undici'"],
  ['runtime-only-in-platform', 'an edge that serves Node', 'src/gateway/planted2.ts', "import '@hono/node-server'"],
  [
    'node-and-workers-apart',
    'Node that imports Workers',
    'src/platform/node/planted2.ts',
    "import '../workers/start.ts'",
  ],
  [
    'database-only-in-stores',
    'a query outside of a store',
    'src/metering/planted.ts',
    "import { sql } from 'kysely'\nexport const one = sql`1`",
  ],
  ['database-only-in-stores', 'a connection outside of a store', 'src/gateway/planted3.ts', "import 'pg'"],
  ['only-declared-packages', 'a development dependency', 'src/gateway/planted4.ts', "import 'fast-check'"],
  ['src-stands-alone', 'an import from the tests', 'src/gateway/planted5.ts', "import '../../test/support.ts'"],
  [
    'folder-has-a-place',
    'a folder that the order does not know',
    'src/utils/planted.ts',
    "import '../kernel/index.ts'",
  ],
  [
    'folder-has-a-place',
    'an import of a folder that the order does not know',
    'src/gateway/planted6.ts',
    "import '../utils/planted.ts'",
  ],
  ['every-import-resolves', 'an import that leads nowhere', 'src/gateway/planted7.ts', "import './no-such-file.ts'"],
  ['no-cycle', 'a cycle, though half of it is a type', 'src/billing/planted.ts', "import './planted2.ts'"],
]

/** What the planted imports need beside them. */
const BESIDE: Record<string, string> = {
  'src/billing/planted2.ts': "import type {} from './planted.ts'",
  'test/support.ts': '',
}

describe('a planted violation is found by its rule', () => {
  const sound = mkdtempSync(join(tmpdir(), 'formulary-sound-'))
  const broken = mkdtempSync(join(tmpdir(), 'formulary-broken-'))
  let violations: readonly Violation[]

  beforeAll(async () => {
    const planted = Object.fromEntries(PLANTED.map(([, , path, source]) => [path, source]))
    writeTree(sound, SOUND)
    writeTree(broken, { ...SOUND, ...planted, ...BESIDE })
    ;({ violations } = await cruise(broken))
  })
  afterAll(() => {
    for (const tree of [sound, broken]) rmSync(tree, { recursive: true, force: true })
  })

  test('and where nothing is planted, nothing is found', async () => {
    const cruised = await cruise(sound)
    expect(cruised.modules).toEqual(expect.arrayContaining(Object.keys(SOUND)))
    expect(cruised.violations).toEqual([])
  })

  test.each(PLANTED)('%s: %s', (rule, _what, path) => {
    expect(violations.filter((violation) => violation.from === path).map((violation) => violation.rule)).toContain(rule)
  })
})

interface Violation {
  readonly from: string
  readonly to: string
  readonly rule: string
}

const Cruise = z.object({
  modules: z.array(z.object({ source: z.string() })),
  summary: z.object({
    violations: z.array(z.object({ from: z.string(), to: z.string(), rule: z.object({ name: z.string() }) })),
  }),
})

/** The command that `npm run boundaries` runs, with the project's own rules, on any tree. */
async function cruise(tree: string): Promise<{ modules: string[]; violations: Violation[] }> {
  const command = join(project, 'node_modules/.bin/depcruise')
  const rules = join(project, '.dependency-cruiser.mjs')
  const args = [command, 'src', '--config', rules, '--output-type', 'json']
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: tree, maxBuffer: OUTPUT_BYTES_MAX })
  const { modules, summary } = Cruise.parse(JSON.parse(stdout))
  return {
    modules: modules.map(({ source }) => source),
    violations: summary.violations.map(({ from, to, rule }) => ({ from, to, rule: rule.name })),
  }
}

function writeTree(tree: string, files: Record<string, string>): void {
  cpSync(join(project, 'package.json'), join(tree, 'package.json'))
  symlinkSync(join(project, 'node_modules'), join(tree, 'node_modules'))
  for (const [path, source] of Object.entries(files)) {
    mkdirSync(dirname(join(tree, path)), { recursive: true })
    writeFileSync(join(tree, path), `${source}\n`)
  }
}
