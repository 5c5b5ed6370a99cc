import { z } from 'zod'

type Schema = z.core.$ZodType

/**
 * The keys that a schema knows at a path of some data, so that an unknown key can be told what it may have meant.
 * The data decides which side of a union is meant.
 */
export function knownKeys(schema: Schema, data: unknown, path: readonly (string | number)[]): readonly string[] {
  const [step, ...rest] = path
  const here = unwrap(schema, data)
  if (step !== undefined) {
    const next = childOf(here, step)
    return next === undefined ? [] : knownKeys(next, valueAt(data, step), rest)
  }
  if (here instanceof z.ZodObject) return Object.keys(here.shape)
  if (here instanceof z.ZodRecord && here.keyType instanceof z.ZodEnum) return here.keyType.options.map(String)
  return []
}

/** The schema of objects, lists and records under optional, default and unions. */
function unwrap(schema: Schema, data: unknown): Schema {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault) return unwrap(schema.unwrap(), data)
  if (!(schema instanceof z.ZodDiscriminatedUnion)) return schema
  const name = schema.def.discriminator
  const meant = schema.options.find(
    (option) => option instanceof z.ZodObject && z.safeParse(option.shape[name], valueAt(data, name)).success,
  )
  return meant ?? schema
}

function childOf(schema: Schema, step: string | number): Schema | undefined {
  if (schema instanceof z.ZodArray) return schema.element
  if (schema instanceof z.ZodRecord) return schema.valueType
  if (schema instanceof z.ZodObject && Object.hasOwn(schema.shape, step)) return schema.shape[step]
  return undefined
}

/** The value under a key, when there is one. */
export function valueAt(data: unknown, step: string | number): unknown {
  return typeof data === 'object' && data !== null ? Object.getOwnPropertyDescriptor(data, step)?.value : undefined
}
