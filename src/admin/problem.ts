import type { AdminRefusal } from './refusal.ts'

export const problemType = 'application/problem+json'

/** RFC 9457. The first refusal is the problem; all stand in `errors`, with their places. */
export function problemOf(refusals: readonly AdminRefusal[]): { status: number; body: object } {
  const [first] = refusals
  if (first === undefined) return problemOf([{ status: 409, reason: 'refused', message: 'This was refused.' }])
  const { status, reason, message, advice } = first
  return {
    status,
    body: {
      type: `urn:formulary:problem:${reason}`,
      title: message,
      status,
      ...(advice === undefined ? {} : { detail: advice }),
      reason,
      errors: refusals.map((each) => ({
        reason: each.reason,
        message: each.message,
        ...(each.advice === undefined ? {} : { advice: each.advice }),
        ...(each.pointer === undefined ? {} : { pointer: each.pointer }),
        ...(each.widens === undefined ? {} : { widens: each.widens }),
      })),
    },
  }
}
