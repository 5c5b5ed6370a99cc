import type { z } from 'zod'
import { privateMembers } from '../identity/index.ts'
import { findField } from './fields.ts'
import { nearest, someOf } from './nearest.ts'
import { quoted, type Path, type Problem, type Words } from './problem.ts'
import { files, type FileKind } from './schema.ts'
import { knownKeys, valueAt } from './schema-keys.ts'
import type { Source } from './source.ts'

type Issue = z.core.$ZodIssue

/** What zod found, at its line, in words that say what to write instead. One issue may be several problems. */
export function explainIssue(kind: FileKind, source: Source, issue: Issue): readonly Problem[] {
  const path = issue.path.map((key) => (typeof key === 'number' ? key : String(key)))
  if (issue.code === 'unrecognized_keys') {
    const known = knownKeys(files[kind], source.data, path)
    const shown = (key: string) => (mayHoldSecret(path) ? 'this' : quoted(key))
    return issue.keys.map((key) =>
      source.keyProblem(
        [...path, key],
        path.includes('jwks') && privateMembers.has(key) ? privateKey(key) : unknownKey(key, shown(key), known),
      ),
    )
  }
  const value = path.reduce(valueAt, source.data)
  const place: Place = { kind, path, name: nameOf(path), value, written: source.written(path) }
  if (value === undefined || value === null) return [source.problem(path, missing(place))]
  // What may be a secret in the wrong place is not repeated, here or anywhere.
  const words = wordsFor(issue, place)
  return [source.problem(path, mayHoldSecret(path) ? { ...words, message: `${place.name} is not right` } : words)]
}

interface Place {
  readonly kind: FileKind
  readonly path: Path
  readonly name: string
  readonly value: unknown
  /** As it stands in the file; undefined for a list or an object. */
  readonly written: string | undefined
}

/** The last key, and for an element of a list the list's key. */
const nameOf = (path: Path): string => path.findLast((key) => typeof key === 'string') ?? 'the file'

const mayHoldSecret = (path: Path): boolean =>
  path.includes('credential') || path.at(-1) === 'url' || path.includes('jwks') || path.at(-1) === 'clientSecretEnv'

const privateKey = (member: string): Words => ({
  message: `${quoted(member)} is a private member: it must never stand here`,
  advice:
    'make a new key and declare its public members only: whoever could read this file can sign as the client with the old one',
})

function wordsFor(issue: Issue, place: Place): Words {
  const { name } = place
  switch (issue.code) {
    case 'invalid_value':
      return notOneOf(place, issue.values.map(String))
    case 'invalid_union':
      return notOneOf(place, 'options' in issue && Array.isArray(issue.options) ? issue.options.map(String) : [])
    case 'invalid_type':
      return wrongType(place, issue.expected)
    case 'too_small':
    case 'too_big':
      return wrongSize(place, issue)
    case 'invalid_format':
      return issue.format === 'datetime' ? wrongTime(place) : refined(place, issue.message)
    case 'custom':
      return refined(place, issue.message)
    default:
      return { message: `${name} is not right: ${issue.message}`, advice: example(place) }
  }
}

function unknownKey(key: string, shown: string, known: readonly string[]): Words {
  const meant = nearest(key, known)
  const listed = `known here: ${someOf(known)}`
  return {
    message: `${shown} is not a known key`,
    advice: meant === undefined ? `remove it; ${listed}` : `did you mean ${meant}? (${listed})`,
  }
}

function missing(place: Place): Words {
  const { path, name } = place
  if (typeof path.at(-1) === 'number')
    return { message: `${name} has an empty line in its list`, advice: 'remove it, or write what it should say' }
  const how = place.value === null ? 'is empty' : 'is missing'
  return { message: `${name} ${how}`, advice: example(place) }
}

function notOneOf(place: Place, allowed: readonly string[]): Words {
  const { written, name } = place
  const listed = allowed.length === 1 ? `write ${allowed[0] ?? ''}` : `write one of ${someOf(allowed)}`
  if (written === undefined) return { message: `${name} must be one word, not a list or a set of keys`, advice: listed }
  const meant = nearest(written, allowed)
  return {
    message: `${quoted(written)} is not a known value of ${name}`,
    advice: meant === undefined ? listed : `did you mean ${meant}? Otherwise ${listed}`,
  }
}

function wrongType(place: Place, expected: string): Words {
  const { written } = place
  const key = typeof place.path.at(-1) === 'number' ? '- ' : `${place.name}: `
  if (expected === 'string' && written !== undefined && typeof place.value !== 'string')
    return place.name === 'version' || place.name === 'pin'
      ? { message: `${written} is not a version`, advice: 'write all three parts, such as 1.2.0' }
      : {
          message: `${place.name} must be text, and YAML reads ${written} as a ${typeof place.value}`,
          advice: `put quotes around it: ${key}"${written}"`,
        }
  if ((expected === 'number' || expected === 'int') && written !== undefined) {
    const digits = typeof place.value === 'string' ? written.replaceAll(/[_,\s"']/g, '') : ''
    return {
      message: `${place.name} must be a whole number, and ${quoted(written)} is not`,
      advice: /^\d+$/.test(digits) ? `write ${key}${digits}` : example(place),
    }
  }
  if (expected === 'array' && written !== undefined)
    return { message: `${place.name} must be a list`, advice: `put brackets around it: ${key}[${written}]` }
  return { message: `${place.name} must be ${kindsOfValue[expected] ?? expected}`, advice: example(place) }
}

const kindsOfValue: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a set of keys and values',
  record: 'a set of keys and values',
}

function wrongSize(place: Place, issue: z.core.$ZodIssueTooSmall | z.core.$ZodIssueTooBig): Words {
  const bound = issue.code === 'too_small' ? `at least ${issue.minimum}` : `at most ${issue.maximum}`
  if (issue.origin === 'array')
    return issue.code === 'too_small'
      ? { message: `${place.name} is an empty list`, advice: example(place) }
      : { message: `${place.name} is too long a list`, advice: `write ${bound}` }
  if (issue.origin === 'string')
    return {
      message: `${place.name} is too ${issue.code === 'too_small' ? 'short' : 'long'}`,
      advice: `write ${bound} characters`,
    }
  return {
    message: `${place.name} must be ${bound}, not ${place.written ?? 'this'}`,
    advice: `write a whole number, ${bound}`,
  }
}

function wrongTime(place: Place): Words {
  const written = place.written ?? ''
  const local = /^(\d{4}-\d{2}-\d{2})(?:[Tt ](\d{2}:\d{2})(:\d{2}(?:\.\d+)?)?)?\s*([Zz]|[+-]\d{2}:?\d{2})?$/.exec(
    written,
  )
  if (local === null) return { message: `${quoted(written)} is not a time`, advice: example(place) }
  const [, day = '', minutes = '00:00', seconds = ':00', offset] = local
  const at = `${day}T${minutes}${seconds}`
  if (offset === undefined)
    return {
      message: `${quoted(written)} does not say where it is midnight: the offset is missing`,
      advice: `write ${at}-05:00, with the offset of the place the contract means, or ${at}Z`,
    }
  if (Number.isNaN(Date.parse(`${at}Z`)) || new Date(`${at}Z`).getUTCDate() !== Number(day.slice(8)))
    return { message: `${quoted(written)} is no day of the calendar`, advice: example(place) }
  const colon = /^[+-]\d{4}$/.test(offset) ? `${offset.slice(0, 3)}:${offset.slice(3)}` : offset.toUpperCase()
  return { message: `${quoted(written)} is not a full time`, advice: `write ${at}${colon}` }
}

/** A refinement says what to write; see schema.ts. */
function refined(place: Place, message: string): Words {
  if (place.path.at(-1) === 'pin' && message.startsWith('the pin'))
    return {
      message: `the pin ${place.written ?? ''} lies outside versions`,
      advice: 'write a pin that versions allows, or widen versions',
    }
  const shown = place.written === undefined ? place.name : `${quoted(place.written)} does not fit ${place.name}`
  return message.startsWith('amount ÷ per')
    ? { message, advice: 'write an amount with fewer decimals, or a per that is a power of ten' }
    : { message: shown, advice: `write ${message}` }
}

function example(place: Place): string {
  const { path, kind } = place
  const known = findField(kind, path)
  const last = path.at(-1)
  if (known === undefined) return 'see the schema in tenants/schema'
  return typeof last === 'string'
    ? `write it like this: ${last}: ${known.example}`
    : `write it like this: ${known.example}`
}
