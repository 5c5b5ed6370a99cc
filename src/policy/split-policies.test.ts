import { expect, test } from 'vitest'
import { inspectPolicy } from './inspect-policy.ts'
import { splitPolicies } from './split-policies.ts'

const textsOf = (text: string) => splitPolicies(text).map((piece) => piece.text)

test('a file is cut at its semicolons, and comments between policies belong to nobody', () => {
  const text = `// forbid (principal, action, resource);
@id("a") // the first;
permit (principal, action, resource); // behind it;

  @reason("one; two // three") forbid (principal, action, resource)
when { resource.version == "\\";//" };
//`
  const pieces = splitPolicies(text)
  expect(pieces.map((piece) => piece.text)).toEqual([
    '@id("a") // the first;\npermit (principal, action, resource);',
    '@reason("one; two // three") forbid (principal, action, resource)\nwhen { resource.version == "\\";//" };',
  ])
  for (const piece of pieces) {
    expect(text.slice(piece.start, piece.start + piece.text.length)).toBe(piece.text)
    expect(inspectPolicy(piece.text).ok).toBe(true)
  }
})

test('what is not finished is a piece as well, so that somebody reads it', () => {
  expect(textsOf('permit (principal')).toEqual(['permit (principal'])
  expect(textsOf('a; b')).toEqual(['a;', 'b'])
  expect(textsOf('"open; permit (principal, action, resource);\nforbid (x);')).toEqual([
    '"open; permit (principal, action, resource);\nforbid (x);',
  ])
  expect(textsOf(' \n// nothing\n')).toEqual([])
})
