import { actions, attributes, words, type CedarFault } from '../policy/index.ts'
import { nearest, someOf } from './nearest.ts'
import { quoted, type Words } from './problem.ts'

/** A policy that Cedar cannot read, in words that say what to write instead. */
export function explainUnread(text: string, fault: CedarFault): Words {
  const { message, help } = fault
  const standsThere = text.slice(fault.at, fault.to)
  for (const [pattern, explain] of unread) {
    const match = pattern.exec(message)
    if (match !== null) return explain({ groups: match, help: help ?? '', standsThere, text })
  }
  return { message: plain(message), advice: help === undefined ? seeExamples : plain(help) }
}

/** A policy that can be read and does not fit the schema. */
export function explainFault(text: string, fault: CedarFault): Words {
  const message = plain(fault.message)
    .replace(/^for policy `[^`]*`[,:] /, '')
    .replace(/ for Action::"[^"]*"/, '')
  const standsThere = text.slice(fault.at, fault.to)
  for (const [pattern, explain] of unfit) {
    const match = pattern.exec(message)
    if (match !== null) return explain({ groups: match, help: fault.help ?? '', standsThere, text })
  }
  return { message, advice: fault.help === undefined ? seeExamples : plain(fault.help) }
}

interface Found {
  readonly groups: RegExpExecArray
  readonly help: string
  readonly standsThere: string
  readonly text: string
}
type Explained = readonly [pattern: RegExp, explain: (found: Found) => Words]

/** Cedar's words on one line, and in the terms of people who write policies. */
const plain = (text: string): string => text.replaceAll(/\s+/g, ' ').slice(0, 300)
const seeExamples = 'tenants/policies/README.md shows policies to copy'
const scopeAdvice = 'write (principal, action, resource), in this order, each by itself or with ==, in or is'

const unread: readonly Explained[] = [
  [
    /^unexpected end of input/,
    ({ help }) =>
      /expected `;`/.test(help)
        ? { message: 'the policy does not end', advice: 'write ; after its last ) or }' }
        : { message: 'the policy breaks off', advice: 'close what is open: " ) ] or }, and write ; at the end' },
  ],
  [
    /^invalid policy effect: (\S+)/,
    ({ groups }) => ({
      message: `${quoted(groups[1] ?? '')} is not what a policy does`,
      advice: 'begin it with permit or forbid',
    }),
  ],
  [
    /^invalid policy condition: (\S+)/,
    ({ groups }) => ({
      message: `${quoted(groups[1] ?? '')} does not begin a condition`,
      advice: 'write when { … } or unless { … }',
    }),
  ],
  [
    /must be used|missing the `(\w+)` variable|not a valid policy scope|extra.*scope/,
    () => ({ message: 'the policy does not say whom, what and which in its brackets', advice: scopeAdvice }),
  ],
  [
    /template/,
    () => ({
      message: 'this is a template, and nobody fills it in',
      advice: 'write the name itself in place of ?principal or ?resource',
    }),
  ],
  [/^'=' is not a valid operator/, () => ({ message: 'one = compares nothing', advice: 'write == to compare' })],
  [
    /^invalid member access `(\w+)\./,
    ({ groups }) => ({
      message: `${quoted(groups[1] ?? '')} has no parts`,
      advice: unknownWord(groups[1] ?? ''),
    }),
  ],
  [
    /^invalid variable: ([\w:]+)/,
    ({ groups }) => {
      const [type = '', ...rest] = (groups[1] ?? '').split('::')
      return {
        message: `${quoted(groups[1] ?? '')} is not a word of Cedar`,
        advice: rest.length > 0 ? `put quotes around the name: ${type}::"${rest.join('::')}"` : unknownWord(type),
      }
    },
  ],
  [
    /^invalid token/,
    ({ help }) =>
      /single quotes/.test(help)
        ? { message: 'single quotes stand here', advice: 'write double quotes: Purpose::"TREAT"' }
        : { message: 'a character that Cedar does not know stands here', advice: 'remove it; // begins a comment' },
  ],
  [
    /^`(\w+)` is not a valid (?:method|function)/,
    ({ groups }) => ({
      message: `${quoted(groups[1] ?? '')} is nothing that Cedar can do`,
      advice: 'a text is compared with == or like "1.*", and a word looked for in a list by [ … ].contains( … )',
    }),
  ],
  [
    /^duplicate annotation: @(\w+)/,
    ({ groups }) => ({ message: `@${groups[1] ?? ''} stands twice`, advice: 'keep one of them' }),
  ],
  [
    /^unexpected token `(and|or|not)`/,
    ({ groups }) => ({ message: `${quoted(groups[1] ?? '')} is not a word of Cedar`, advice: operators }),
  ],
  [
    /^unexpected token `(.*)`/,
    ({ groups, help, text, standsThere }) => {
      if (/expected string literal/.test(help))
        return { message: `${quoted(groups[1] ?? '')} needs quotes`, advice: `write "${groups[1] ?? ''}"` }
      // `not context.grace`: the parser stumbles over what follows.
      const before = text.slice(0, text.indexOf(standsThere)).trimEnd()
      return {
        message: `${quoted(groups[1] ?? '')} cannot stand here`,
        advice: /\bnot$/.test(before) ? operators : `mend it here or just before: ${shortened(help)}`,
      }
    },
  ],
]

const operators = 'write && for and, || for or, and ! for not'

/** "expected `&&`, `;`, …" as far as somebody reads. */
const shortened = (help: string): string => {
  const expected = Array.from(help.matchAll(/`([^`]+)`|identifier/g), ({ 0: word }) => word)
  return expected.length === 0
    ? plain(help)
    : `expected ${someOf(expected.slice(0, 6))}${expected.length > 6 ? ' …' : ''}`
}

function unknownWord(written: string): string {
  const variables = ['principal', 'action', 'resource', 'context']
  const meant = nearest(written, variables)
  return meant === undefined ? `a condition speaks of ${variables.join(', ')}` : `did you mean ${meant}?`
}

const unfit: readonly Explained[] = [
  [
    /^entity `(\w+)::"(.*)"` is of an enumerated entity type/,
    ({ groups: [, type = '', id = ''] }) => {
      const members: readonly string[] = Object.entries(words).find(([name]) => name === type)?.[1] ?? []
      const meant = nearest(id, members)
      const listed = `known: ${someOf(members)}`
      return {
        message: `${quoted(id)} is no ${type}`,
        advice: meant === undefined ? `write one that is ${listed}` : `did you mean ${type}::"${meant}"? (${listed})`,
      }
    },
  ],
  [
    /^attribute `(\w+)` (?:on entity type `(\w+)`|in (context)) not found/,
    ({ groups: [, attribute = '', type, context] }) => {
      const of = type ?? context ?? ''
      const known = Object.keys(Object.entries(attributes).find(([name]) => name === of)?.[1] ?? {})
      const meant = nearest(attribute, known)
      if (known.length === 0)
        return {
          message: `${of} has no ${quoted(attribute)}`,
          advice: `a ${of} is compared as a whole: ${examples[of] ?? 'with =='}`,
        }
      return {
        message: `${of === 'context' ? 'the context' : of} has no ${quoted(attribute)}`,
        advice:
          meant === undefined
            ? `known here: ${known.join(', ')}`
            : `did you mean ${meant}? (known here: ${known.join(', ')})`,
      }
    },
  ],
  [
    /^the types (.+) and (.+) are not compatible/,
    ({ groups: [, one = '', other = ''] }) => {
      const type = [one, other].find((name) => name in examples)
      return {
        message: `${one} is compared with ${other}, which can never be equal`,
        advice:
          type === undefined
            ? `compare two of one kind; ${seeExamples}`
            : `write a ${type} on both sides, such as ${examples[type] ?? ''}`,
      }
    },
  ],
  [
    /^unrecognized action `Action::"(.*)"`/,
    ({ groups: [, action = ''] }) => {
      const known = ['call', ...actions]
      const meant = nearest(action, known)
      return {
        message: `${quoted(action)} is no Action`,
        advice:
          meant === undefined
            ? `write one of ${known.join(', ')}`
            : `did you mean Action::"${meant}"? (known: ${known.join(', ')})`,
      }
    },
  ],
  [
    /^unrecognized entity type `(\w+)`/,
    ({ groups: [, type = ''] }) => {
      const known = Object.keys(examples)
      const meant = nearest(type, known)
      return {
        message: `${quoted(type)} is nothing that a policy can speak of`,
        advice:
          meant === undefined ? `write one of ${someOf(known)}` : `did you mean ${meant}? (known: ${someOf(known)})`,
      }
    },
  ],
  [
    /unable to find an applicable action|policy is impossible/,
    ({ help, text }) => {
      const message = 'this policy can never apply: no call is as it says'
      if (/replacing `==` with `in`/.test(help))
        return { message, advice: 'write in instead of ==: principal in Tenant::"…", resource in Model::"…"' }
      if (/action\s*==\s*Action::"call"/.test(text))
        return { message, advice: 'write action in Action::"call": every call is one of it' }
      return {
        message,
        advice:
          'a principal is an Application, a resource a ModelVersion; mend the condition that is always false, or remove the policy',
      }
    },
  ],
  [
    /mixed scripts|bidi|confusable|invisible|identifier profile/,
    () => ({
      message: 'letters stand here that only look like others',
      advice: 'type the word again by hand: it may come from a document that replaced them',
    }),
  ],
]

/** How a thing of each type is named. */
const examples: Readonly<Record<string, string>> = {
  Tenant: 'Tenant::"lakeside-health"',
  Application: 'Application::"lakeside-health/ehr"',
  Facility: 'Facility::"lakeside-health/lakeside-north"',
  Model: 'Model::"clinical-assistant"',
  ModelVersion: 'ModelVersion::"clinical-assistant@1.2.0"',
  Audience: 'Audience::"clinician"',
  TenantKind: 'TenantKind::"hospital"',
  Purpose: 'Purpose::"TREAT"',
  Stage: 'Stage::"licensed"',
  Protocol: 'Protocol::"open-inference"',
}
