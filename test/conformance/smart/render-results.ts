import { readFileSync } from 'node:fs'
import { z } from 'zod'
import type { Vector } from './vocabulary.ts'

const requirements = z
  .array(z.object({ id: z.int(), page: z.string(), text: z.string() }))
  .parse(JSON.parse(readFileSync(new URL('./requirements.json', import.meta.url), 'utf8')))

/** What holds a requirement that no vector can, or that does not concern a server without users. */
const besides: Readonly<Record<number, string>> = {
  228: '`discovery.test.ts`',
  231: '`src/platform/node/config.ts` refuses a `PUBLIC_URL` of http in production; TLS ends before the gateway',
  240: '`src/tenants/clients.test.ts`: scopes are declared and reviewed beforehand',
  259: 'here it never differs: more than is granted is refused',
  276: '`clients.test.ts`, by openid-client',
  277: 'no launch context exists here',
  278: 'no ID token exists here',
  279: 'no ID token exists here',
  283: '`discovery.test.ts`: of its own tenant alone. A deliberate departure: tenants cannot see each other',
  285: '`discovery.test.ts`',
  286: '`discovery.test.ts`',
  287: '`discovery.test.ts`',
  288: '`discovery.test.ts`',
  289: '`discovery.test.ts`',
  296: '`clients.test.ts`: keys at an address',
  305: '`src/tenants/clients.test.ts`, `test/isolation/rls.test.ts`',
  316: '`src/tenants/clients.test.ts`',
  336: '`test/faults/assertions-are-shown-once.test.ts`',
  339: '`src/platform/node/fetch-key-set.test.ts`',
  341: '`src/identity/key-sets.test.ts`',
  342: '`src/identity/key-sets.test.ts`',
}

const cell = (text: string): string => text.replaceAll('|', '\\|').slice(0, 160)

/** The table of requirements and the list of vectors, as a page. */
export function renderResults(vectors: readonly Vector[], reasons: ReadonlyMap<string, string>): string {
  const rows = requirements.map(({ id, text }) => {
    const held = vectors.filter((vector) => vector.requirements.includes(`SMART ${id}`))
    const few = held.slice(0, 4).map((vector) => `\`${vector.id}\``)
    const more = held.length > few.length ? [`${held.length - few.length} more`] : []
    const by = [...few, ...more, ...(besides[id] === undefined ? [] : [besides[id]])]
    return `| ${id} | ${cell(text)} | ${by.join(', ') || 'NOTHING'} |`
  })
  const list = vectors.map(
    ({ id, kind, requirements: rules, about }) =>
      `| \`${id}\` | ${kind} | ${cell(rules.join(', '))} | ${cell(about)} | ${reasons.get(id) ?? ''} |`,
  )
  return `# Requirements, vectors, results

Made by \`vectors.test.ts\`; do not edit. Each server SHALL of SMART App Launch 2.2.0 on its pages backend-services,
client-confidential-asymmetric and token-introspection, and what holds it here. A vector stands here because it was as it
should be on Node and in workerd.

| requirement | says | held by |
| --- | --- | --- |
${rows.join('\n')}

## Vectors

${vectors.length}, ${vectors.filter(({ kind }) => kind === 'refused').length} of them refused. The last column is what the token service's log said, request by request; the data plane has a log of its own.

| vector | | rules | about | log |
| --- | --- | --- | --- | --- |
${list.join('\n')}
`
}
