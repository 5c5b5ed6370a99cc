import { dpopCases } from './dpop-cases.ts'
import { notOurs, remarks, requirements, vectorsFor } from './requirements.ts'
import type { Vector } from './vocabulary.ts'

const cell = (text: string): string => text.replaceAll('|', '\\|').slice(0, 160)

/** The tables of requirements and of DPoP cases, and the list of vectors, as a page. */
export function renderResults(
  vectors: readonly Vector[],
  tests: ReadonlyMap<number, readonly string[]>,
  reasons: ReadonlyMap<string, string>,
): string {
  const rows = requirements.map(({ id, text }) => {
    const held = vectorsFor(vectors, id)
    const few = held.slice(0, 4).map((vector) => `\`${vector.id}\``)
    const more = held.length > few.length ? [`${held.length - few.length} more`] : []
    const files = (tests.get(id) ?? []).map((file) => `\`${file}\``)
    const said = [notOurs.get(id), remarks.get(id)].filter((remark) => remark !== undefined)
    return `| ${id} | ${cell(text)} | ${[...few, ...more, ...files, ...said].join(', ')} |`
  })
  const cases = dpopCases.map(
    ([tries, expected, vector], index) => `| ${index + 1} | ${tries} | ${expected} | \`${vector}\` |`,
  )
  const list = vectors.map(
    ({ id, kind, requirements: rules, about }) =>
      `| \`${id}\` | ${kind} | ${cell(rules.join(', '))} | ${cell(about)} | ${reasons.get(id) ?? ''} |`,
  )
  return `# Requirements, vectors, results

Made by \`vectors.test.ts\`; do not edit. Each server SHALL of SMART App Launch 2.2.0 on its pages backend-services,
client-confidential-asymmetric and token-introspection, and what holds it here: vectors, and the files whose tests say its
number in their names. A vector stands here because it was as it should be on Node and in workerd.

| requirement | says | held by |
| --- | --- | --- |
${rows.join('\n')}

## DPoP, as the OpenID FAPI 2 suite tries it

The ${dpopCases.length} steps of its module \`fapi2-security-profile-final-dpop-negative-tests\` in their order, rebuilt: the suite itself was not run.

| step | tries | expects | vector |
| --- | --- | --- | --- |
${cases.join('\n')}

## Vectors

${vectors.length}, ${vectors.filter(({ kind }) => kind === 'refused').length} of them refused. The last column is what the token service's log said, request by request; the data plane has a log of its own.

| vector | | rules | about | log |
| --- | --- | --- | --- | --- |
${list.join('\n')}
`
}
