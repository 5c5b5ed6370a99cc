import { z } from 'zod'
import { cedarSchema } from '../policy/index.ts'
import { parse } from 'yaml'
import { findField } from './fields.ts'
import { files, type FileKind } from './schema.ts'

/**
 * A JSON Schema (draft 2020-12) per kind of file, for editors that complete and underline. It is looser than the
 * reader: what concerns more than one value, or another file, only `formulary tenants plan` tells.
 */
export function jsonSchemas(): Record<FileKind, object> {
  return { model: schemaOf('model'), plan: schemaOf('plan'), tenant: schemaOf('tenant'), license: schemaOf('license') }
}

/** What a policy can speak of, for the editors of Cedar. */
export const policySchema = (): string => cedarSchema

const titles: Readonly<Record<FileKind, string>> = {
  model: 'A model and its versions (tenants/models/<model>.yaml)',
  plan: 'A price book (tenants/plans/<plan>.yaml)',
  tenant: 'A licensed organization, its sites and programs (tenants/<tenant>/tenant.yaml)',
  license: 'What a tenant may use, until when, and how much (tenants/<tenant>/license.yaml)',
}

type Schema = z.core.JSONSchema.BaseSchema
type Path = readonly (string | number)[]

function schemaOf(kind: FileKind): object {
  const { $schema, ...schema } = z.toJSONSchema(files[kind], { io: 'input' })
  return { $schema, $id: `urn:formulary:tenants:${kind}`, title: titles[kind], ...describe(kind, schema, []) }
}

/**
 * The same schema with the words of fields.ts. It is done on the finished schema, because a zod schema that two keys
 * share has one place for words.
 */
function describe(kind: FileKind, schema: Schema, path: Path): Schema {
  const { properties, items, oneOf, additionalProperties } = schema
  const described: Schema = { ...schema, ...wordsAt(kind, path) }
  if (properties !== undefined)
    described.properties = Object.fromEntries(
      Object.entries(properties).map(([key, value]) => [key, describeAny(kind, value, [...path, key])]),
    )
  if (items !== undefined && !Array.isArray(items)) described.items = describeAny(kind, items, [...path, 0])
  if (oneOf !== undefined) described.oneOf = oneOf.map((side) => describeAny(kind, side, path))
  if (additionalProperties !== undefined)
    described.additionalProperties = describeAny(kind, additionalProperties, [...path, '*'])
  return described
}

const describeAny = <S extends Schema | boolean>(kind: FileKind, schema: S, path: Path): S | Schema =>
  typeof schema === 'boolean' ? schema : describe(kind, schema, path)

/** For a key, not for an element of a list, so that the words stand once. An example with … in it is for people. */
function wordsAt(kind: FileKind, path: Path): { description?: string; examples?: unknown[] } {
  const found = typeof path.at(-1) === 'string' ? findField(kind, path) : undefined
  if (found === undefined) return {}
  return found.example.includes('…')
    ? { description: found.means }
    : { description: found.means, examples: [parse(found.example)] }
}
