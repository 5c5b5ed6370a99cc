import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { fields } from './fields.ts'
import { jsonSchemas } from './json-schemas.ts'

const Schema = z.looseObject({
  $id: z.string().optional(),
  description: z.string().optional(),
  properties: z.record(z.string(), z.unknown()).optional(),
  additionalProperties: z.unknown().optional(),
  items: z.unknown().optional(),
  oneOf: z.array(z.unknown()).optional(),
})

/** Every key under a schema, with its description. */
function keysOf(schema: unknown, path: string): readonly (readonly [path: string, description: string | undefined])[] {
  const read = Schema.safeParse(schema)
  if (!read.success) return []
  const { properties, items, oneOf, additionalProperties } = read.data
  return [
    ...Object.entries(properties ?? {}).flatMap(([key, value]) => keyAt(value, `${path}.${key}`)),
    ...(typeof additionalProperties === 'object' ? keyAt(additionalProperties, `${path}.*`) : []),
    ...keysOf(items, `${path}[]`),
    ...(oneOf ?? []).flatMap((side) => keysOf(side, path)),
  ]
}

const keyAt = (value: unknown, path: string): readonly (readonly [string, string | undefined])[] => [
  [path, Schema.parse(value).description],
  ...keysOf(value, path),
]

describe('the JSON Schemas', () => {
  const schemas = Object.entries(jsonSchemas())

  test('describe every key, each in its own words', () => {
    const described = new Map(schemas.flatMap(([kind, schema]) => keysOf(schema, kind)))
    expect([...described.keys()].toSorted()).toEqual(Object.keys(fields).toSorted())
    for (const [path, description] of described) expect(description, path).toBe(fields[path]?.means)
  })

  test('are draft 2020-12, named, and know no other keys', () => {
    for (const [kind, schema] of schemas)
      expect(schema).toMatchObject({
        $schema: 'https://json-schema.org/draft/2020-12/schema',
        $id: `urn:formulary:tenants:${kind}`,
        title: expect.stringContaining(`.yaml`),
        additionalProperties: false,
      })
  })

  test('ask for what has no default, and only for that', () => {
    expect(jsonSchemas().license).toMatchObject({
      required: ['license', 'plan', 'term', 'entitlements', 'residency'],
      properties: { term: { required: ['start', 'end', 'graceDays'] } },
    })
  })
})
