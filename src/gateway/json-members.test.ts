import fc from 'fast-check'
import { expect, test } from 'vitest'
import { membersOf, withMembers } from './json-members.ts'

/** Space as JSON allows it (RFC 8259, section 2), of any kind and length. */
const space = fc.string({ unit: fc.constantFrom(' ', '\t', '\n', '\r'), maxLength: 3 })

/** One character of a string, in one of the forms in which JSON can write it. */
const character = fc.oneof(
  fc.constantFrom('a', 'Z', '0', ' ', '{', '}', '[', ']', ',', ':', '/', '\\/', 'é', '漢', '😀', '\u2028', '\u007f'),
  fc.constantFrom('\\"', '\\\\', '\\b', '\\n', '\\u0000', '\\u00e9', '\\u0022', '\\u005C', '\\ud83d\\ude00', '\\ud800'),
)
const stringText = fc.string({ unit: character, maxLength: 8 }).map((inside) => `"${inside}"`)

/** Numbers whose digits a double does not keep are among them. */
const numberText = fc.oneof(
  fc.constantFrom(
    '0',
    '-0',
    '0.10',
    '1E2',
    '1e-7',
    '12345678901234567890',
    '-1.5e+300',
    '1e400',
    '0.1000000000000000055',
  ),
  fc.integer().map(String),
)

const { value: valueText } = fc.letrec<{ value: string; list: string; object: string }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.constantFrom('true', 'false', 'null'),
    stringText,
    numberText,
    tie('list'),
    tie('object'),
  ),
  list: fc
    .tuple(fc.array(tie('value'), { maxLength: 3 }), space)
    .map(([items, gap]) => `[${gap}${items.join(`${gap},`)}${gap}]`),
  object: fc
    .tuple(fc.array(fc.tuple(stringText, tie('value')), { maxLength: 3 }), space)
    .map(([pairs, gap]) => `{${gap}${pairs.map(([name, value]) => `${name}${gap}:${value}`).join(`,${gap}`)}${gap}}`),
}))

interface Part {
  readonly name: string
  readonly value: string
  readonly gaps: readonly [string, string, string, string]
}

const nameIn = (part: Part): string => String(JSON.parse(part.name))
const part: fc.Arbitrary<Part> = fc.record({
  // `model` and `user` in plain and in escaped form, so that what is edited is often there.
  name: fc.oneof(
    stringText,
    fc.constantFrom('"model"', '"m\\u006fdel"', '"user"', '"\\u0075ser"', '"__proto__"', '""'),
  ),
  value: valueText,
  gaps: fc.tuple(space, space, space, space),
})
const parts = fc.uniqueArray(part, { selector: nameIn, maxLength: 6 })

const textOf = (all: readonly Part[], valueOf: (one: Part) => string = ({ value }) => value): string =>
  all.map((one) => `${one.gaps[0]}${one.name}${one.gaps[1]}:${one.gaps[2]}${valueOf(one)}${one.gaps[3]}`).join(',')

const changes = fc.dictionary(fc.constantFrom('model', 'user', 'max_tokens'), valueText, { noNullPrototype: true })

test('only the values that are replaced change; every other byte of the text stays, additions stand at the end', () => {
  fc.assert(
    fc.property(space, parts, space, changes, (before, all, after, edit) => {
      const text = `${before}{${textOf(all)}}${after}`
      const names = new Set(all.map(nameIn))
      const added = Object.entries(edit).filter(([name]) => !names.has(name))
      const edited = new Map(Object.entries(edit))
      const kept = textOf(all, (one) => edited.get(nameIn(one)) ?? one.value)
      const addition = added.map(([name, value]) => `${JSON.stringify(name)}:${value}`).join(',')
      const border = all.length > 0 && addition !== '' ? ',' : ''
      expect(withMembers(text, membersOf(text), edit)).toBe(`${before}{${kept}${border}${addition}}${after}`)
    }),
    { seed: 1, numRuns: 3_000 },
  )
})

test('a name that stands twice is found in whatever form it is written, and in the outermost object only', () => {
  expect(membersOf('{"model":"a","user":{"x":1,"x":2},"m\\u006fdel":"b"}').repeated).toBe('model')
  expect(membersOf('{"a":{"model":1},"b":[{"model":2}],"model":3}').repeated).toBeUndefined()
  expect(membersOf('{"":1,"\\u0000":2," ":3}').repeated).toBeUndefined()
})

test.each([
  ['{}', '{"n":1}'],
  [' { \n } ', ' { \n "n":1} '],
  ['{"a":"\\\\"}', '{"a":"\\\\","n":1}'],
  ['{"a":"\\\\\\"}"}', '{"a":"\\\\\\"}","n":1}'],
  ['{"a":[{"n":0}]}', '{"a":[{"n":0}],"n":1}'],
  ['{"n" : 0.10 ,"z":2}', '{"n" : 1 ,"z":2}'],
])('%s with n = 1 is %s', (text, changed) => {
  expect(withMembers(text, membersOf(text), { n: '1' })).toBe(changed)
})

test.each([
  '',
  'not JSON',
  '{',
  '{"',
  '{"\\u12',
  '{"a',
  '{"a":',
  '{"a":"',
  '{"a":{"b',
  '{"a":1,',
  '"text"',
  '[1]',
  '\u0000',
])('of a text that is not an object, such as %j, it makes what it can and does not throw or hang', (text) => {
  expect(() => membersOf(text)).not.toThrow()
})
