// Writes the files of this repository that are made from its sources; with --check only compares, for CI.
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { generateDatabaseTypes } from './generate-database-types.ts'

const project = fileURLToPath(new URL('../', import.meta.url))

/** Path within the project → content. */
type Files = Readonly<Record<string, string>>

interface Generator {
  /** What it reads. It is skipped only while this file does not exist. */
  readonly source: string
  readonly make: () => Promise<Files>
  /** A folder that holds nothing but its output, so that a file it no longer makes is stale. */
  readonly folder?: string
}

const GENERATORS: readonly Generator[] = [
  {
    source: 'src/db/index.ts',
    make: async () => ({ 'src/db/schema.ts': await generateDatabaseTypes() }),
  },
  {
    source: 'src/app.ts',
    make: async () => ({ 'openapi.json': toJson(await callExport('src/app.ts', 'openApiDocument')) }),
  },
  {
    source: 'src/admin/index.ts',
    make: async () => ({
      'admin-openapi.json': toJson(await callExport('src/admin/index.ts', 'adminOpenApiDocument')),
    }),
  },
  {
    source: 'src/billing/index.ts',
    make: async () => ({
      'src/billing/focus-check/RULES.md': z.string().parse(await callExport('src/billing/index.ts', 'focusRulesTable')),
    }),
  },
  {
    source: 'src/tenants/index.ts',
    make: async () => {
      const schemas = JsonSchemas.parse(await callExport('src/tenants/index.ts', 'jsonSchemas'))
      const cedarSchema = z.string().parse(await callExport('src/tenants/index.ts', 'policySchema'))
      return {
        ...Object.fromEntries(
          Object.entries(schemas).map(([kind, schema]) => [`tenants/schema/${kind}.json`, toJson(schema)]),
        ),
        'tenants/schema/policy.cedarschema': cedarSchema,
      }
    },
    folder: 'tenants/schema',
  },
]

const JsonSchemas = z.record(z.string().regex(/^[a-z-]+$/), z.record(z.string(), z.unknown()))

const [mode, ...rest] = process.argv.slice(2)
if ((mode !== undefined && mode !== '--check') || rest.length > 0) {
  console.error('usage: node scripts/generate.ts [--check]')
  process.exit(2)
}

const stale: string[] = []
for (const generator of GENERATORS) {
  if (!existsSync(join(project, generator.source))) {
    console.log(`skipped: ${generator.source} does not exist yet`)
    continue
  }
  const files = await generator.make()
  for (const path of await findStale(files, generator.folder)) {
    stale.push(path)
    if (mode !== '--check') await bringUpToDate(path, files[path])
  }
}
if (mode !== '--check') console.log(stale.length === 0 ? 'everything was up to date' : `written: ${stale.join(', ')}`)
else if (stale.length > 0) {
  console.error(`stale: ${stale.join(', ')}\nRun: npm run generate`)
  process.exitCode = 1
}

async function findStale(files: Files, folder: string | undefined): Promise<string[]> {
  const present = folder === undefined || !existsSync(join(project, folder)) ? [] : await readdir(join(project, folder))
  const superfluous = present.map((name) => `${folder}/${name}`).filter((path) => !(path in files))
  const differs = await Promise.all(
    Object.entries(files).map(async ([path, content]) => ((await read(path)) === content ? [] : [path])),
  )
  return [...differs.flat(), ...superfluous]
}

async function read(path: string): Promise<string | undefined> {
  return existsSync(join(project, path)) ? readFile(join(project, path), 'utf8') : undefined
}

async function bringUpToDate(path: string, content: string | undefined): Promise<void> {
  if (content === undefined) return rm(join(project, path))
  await mkdir(dirname(join(project, path)), { recursive: true })
  await writeFile(join(project, path), content)
}

/** Calls `name()` of a module that may not exist yet, hence no import that the compiler sees. */
async function callExport(source: string, name: string): Promise<unknown> {
  const found: unknown = await import(new URL(`../${source}`, import.meta.url).href)
  const call = z.record(z.string(), z.unknown()).parse({ ...Object(found) })[name]
  if (typeof call !== 'function') throw new Error(`${source} does not export the function ${name}()`)
  return call()
}

function toJson(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`
}
