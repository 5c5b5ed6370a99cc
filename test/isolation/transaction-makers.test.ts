import { globSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Transaction } from 'kysely'
import { expect, test } from 'vitest'
import type { DB, Tx } from '../../src/db/index.ts'

const project = fileURLToPath(new URL('../../', import.meta.url))

/** What sets a scope or goes round it, and the only files that may. */
const guarded: readonly { readonly what: string; readonly pattern: RegExp; readonly files: readonly string[] }[] = [
  {
    what: 'makes a Tx of something else',
    pattern: /\bas\s+(?:\w+\.)?Tx\b|<(?:\w+\.)?Tx>\s*[\w({[]|\bTx\s+as\s+\w|\bProven<\s*'Tx'/,
    files: ['src/db/database.ts', 'src/db/system-transaction.ts', 'src/db/tenant-transaction.ts'],
  },
  {
    what: 'speaks of the scope of the system',
    pattern: /app\.system/,
    files: ['src/db/database.ts', 'src/db/system-transaction.ts'],
  },
  {
    what: 'sets whose rows are seen',
    // By a setting of ours, by a name that is put together, or by the server's own ways.
    pattern:
      /set_config\(\s*(?:'(?:app\.|role|row_security|session_auth)|[^'])|\bset\s+(?:(?:local|session)\s+)?(?:app\.|role\b|row_security|session\s+auth)/i,
    files: ['src/db/system-transaction.ts', 'src/db/tenant-transaction.ts'],
  },
  {
    what: 'asks a pool directly',
    pattern: /\.(?:tenantPool|systemPool|tenantKysely|systemKysely)\b/,
    // The library that counts rates wants a pool; it gets the system's, and knows one table.
    files: [
      'src/db/database.ts',
      'src/db/system-transaction.ts',
      'src/db/tenant-transaction.ts',
      'src/platform/node/serve-gateway.ts',
    ],
  },
]

interface Source {
  readonly path: string
  readonly text: string
}

/** The files that do what only a few may, a sentence each. Comments may say what they like. */
function trespasses(sources: readonly Source[]): readonly string[] {
  return guarded.flatMap(({ what, pattern, files }) =>
    sources
      .filter(({ path, text }) => !files.includes(path) && pattern.test(withoutComments(text)))
      .map(({ path }) => `${path} ${what}`),
  )
}

const withoutComments = (text: string): string => text.replaceAll(/\/\*[\s\S]*?\*\/|(?<![:'"`])\/\/.*$/gm, '')

function readSources(): readonly Source[] {
  return globSync('src/**/*.ts', { cwd: project })
    .filter((path) => !path.endsWith('.test.ts'))
    .map((path) => ({ path, text: readFileSync(`${project}${path}`, 'utf8') }))
}

test('only two functions make a transaction with a scope, and nobody goes round them', () => {
  const sources = readSources()
  expect(sources.length).toBeGreaterThan(100)
  expect(trespasses(sources)).toEqual([])
})

test('each of those files does what it is listed for', () => {
  const sources = readSources()
  for (const { what, pattern, files } of guarded)
    for (const file of files) {
      const text = sources.find(({ path }) => path === file)?.text ?? ''
      expect(pattern.test(withoutComments(text)), `${file} ${what}`).toBe(true)
    }
})

test.each([
  ['a cast', 'const tx = transaction as Tx', 'makes a Tx of something else'],
  ['a cast on two lines', 'const tx = transaction as\n  unknown as\n  Tx', 'makes a Tx of something else'],
  ['an old cast', 'const tx = <Tx>(transaction)', 'makes a Tx of something else'],
  ['another name for it', "import type { Tx as Scoped } from '../db/index.ts'", 'makes a Tx of something else'],
  ['a proof of its own', "type Mine = Proven<'Tx', Transaction<DB>>", 'makes a Tx of something else'],
  ['the scope of the system', "sql`select set_config('app.system', 'on', true)`", 'speaks of the scope of the system'],
  ['another role', 'sql`set role formulary_owner`', 'sets whose rows are seen'],
  ['a scope of its own', "sql`select set_config('app.tenant_id', ${id}, true)`", 'sets whose rows are seen'],
  ['a name that is put together', 'sql`select set_config(${name}, ${id}, true)`', 'sets whose rows are seen'],
  ['row security off', 'sql`set local row_security = off`', 'sets whose rows are seen'],
  ['a query without a transaction', 'await database.systemPool.query(text)', 'asks a pool directly'],
])('%s is found', (_name, text, what) => {
  expect(trespasses([{ path: 'src/quota/planted.ts', text }])).toContain(`src/quota/planted.ts ${what}`)
})

test('a transaction without a scope is not a Tx, as the compiler sees it', () => {
  // @ts-expect-error: a store takes what the two functions made, and nothing that only looks like it
  const scoped = (transaction: Transaction<DB>): Tx => transaction
  expect(scoped).toBeTypeOf('function')
})
