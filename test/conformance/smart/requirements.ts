import { globSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import type { Vector } from './vocabulary.ts'

/** A SHALL of a server, by its number in HL7's list. */
export interface Requirement {
  readonly id: number
  readonly page: string
  readonly text: string
}

/** Each server SHALL on the three pages, as HL7's list of requirements of SMART App Launch 2.2.0 has them. */
export const requirements: readonly Requirement[] = z
  .array(z.object({ id: z.int(), page: z.string(), text: z.string() }))
  .parse(JSON.parse(readFileSync(new URL('requirements.json', import.meta.url), 'utf8')))

/** What does not concern a server that has no users. */
export const notOurs: ReadonlyMap<number, string> = new Map([
  [277, 'does not apply: without a user there is no launch context'],
  [278, 'does not apply: without a user there is no ID token'],
  [279, 'does not apply: without a user there is no ID token'],
])

/** What is to be said beside a test. */
export const remarks: ReadonlyMap<number, string> = new Map([
  [231, 'by itself on the TLS port; behind a proxy TLS is the proxy’s, and production takes no `PUBLIC_URL` of http'],
  [259, 'what is granted is what was asked for, said once; more than was granted beforehand is refused'],
  [283, 'a deliberate departure: of its own tenant alone, because tenants cannot see each other'],
])

const root = new URL('../../../', import.meta.url)

/** By requirement, the files whose tests say its number in their names, from the root of the repository. */
export function testsByRequirement(): ReadonlyMap<number, readonly string[]> {
  const files = globSync(['src/**/*.test.ts', 'test/**/*.test.ts'], { cwd: fileURLToPath(root) })
  const named = files.toSorted().flatMap((file) => {
    const text = readFileSync(new URL(file, root), 'utf8')
    return [...numbersIn(text)].map((id) => ({ id, file }))
  })
  return new Map([...Map.groupBy(named, ({ id }) => id)].map(([id, all]) => [id, all.map(({ file }) => file)]))
}

/** The numbers in the names of tests: `test('…', `, `describe('…', ` and `])('…', `. */
function numbersIn(text: string): ReadonlySet<number> {
  const names = [...text.matchAll(/(?:\btest|\bdescribe|\])\(\s*(['"])(.*?)\1,/g)].map(([, , name = '']) => name)
  return new Set(names.flatMap((name) => [...name.matchAll(/SMART (\d+)/g)].map(([, id]) => Number(id))))
}

/** The vectors that carry a requirement's number. */
export const vectorsFor = (vectors: readonly Vector[], id: number): readonly Vector[] =>
  vectors.filter((vector) => vector.requirements.includes(`SMART ${id}`))
