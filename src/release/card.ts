import { z } from 'zod'
import { stages, type Stage } from '../policy/index.ts'
import { attributeKeys, decisionSupports, sourceAttributes } from './source-attributes.ts'

/** Long enough for a page of a report; the whole of a card stays far below what a client reads at once. */
const Text = z
  .string()
  .trim()
  .min(1)
  .max(8000)
  .regex(/^(?:[^\p{Cc}]|[\n\t])*$/u, 'text without control characters')

/** What is said of a version to those who use it. "Not available" is an answer; silence is none. */
export const Card = z.strictObject({
  intendedUse: Text,
  outOfScopeUse: Text,
  trainingData: Text,
  evaluation: Text,
  knownRisks: Text,
  maintenance: Text,
  decisionSupport: z.enum(decisionSupports).default('predictive'),
  sourceAttributes: z.partialRecord(z.enum(attributeKeys), Text).default({}),
})
export type Card = z.infer<typeof Card>

export const cardTexts = [
  'intendedUse',
  'outOfScopeUse',
  'trainingData',
  'evaluation',
  'knownRisks',
  'maintenance',
] as const

/**
 * What a card lacks for a stage. The owner's own people need the six texts; from `licensed` on others rely on it, and
 * every source attribute of its kind must be answered.
 */
export function missingFor(card: Card, to: Stage): readonly string[] {
  if (stages.indexOf(to) < stages.indexOf('licensed')) return []
  return [...sourceAttributes[card.decisionSupport].keys()].filter((key) => card.sourceAttributes[key] === undefined)
}

/**
 * What a new card takes away from one that users may have relied on. A card grows: a text may go on after what it said, and
 * an attribute may be answered that was not. Whoever wants to say something else declares a new version.
 */
export function takenAway(before: Card, after: Card): readonly string[] {
  const rewritten = (from: string | undefined, to: string | undefined) =>
    from !== undefined && !(to ?? '').startsWith(from)
  return [
    ...cardTexts.filter((text) => rewritten(before[text], after[text])),
    ...(before.decisionSupport === after.decisionSupport ? [] : ['decisionSupport']),
    ...Object.keys(before.sourceAttributes)
      .filter((key) => rewritten(before.sourceAttributes[key], after.sourceAttributes[key]))
      .map((key) => `sourceAttributes.${key}`),
  ]
}

/** Every attribute of the card's kind with its paragraph, answered or not, in the rule's order. */
export const answeredAttributes = (card: Card) =>
  [...sourceAttributes[card.decisionSupport]].map(([attribute, { paragraph, means }]) => ({
    attribute,
    citation: `45 CFR 170.315(b)(11)(iv)${paragraph}`,
    means,
    value: card.sourceAttributes[attribute] ?? null,
  }))
