import { err, ok, type Result } from '../kernel/index.ts'
import type { OauthRefusal } from './refusal.ts'

export type Form = ReadonlyMap<string, string>

/** An assertion is the longest that a form holds. */
export const formBytesMax = 32 * 1024
const parametersMax = 50

/** RFC 6749, section 3.2: a parameter without a value is as one that was left out, and none stands twice. */
export function readForm(body: string): Result<Form, OauthRefusal> {
  const form = new Map<string, string>()
  const seen = new Set<string>()
  for (const [name, value] of new URLSearchParams(body)) {
    if (seen.has(name)) return err({ reason: 'parameter_repeated', parameter: known(name) })
    if (seen.size >= parametersMax) return err({ reason: 'body_refused' })
    seen.add(name)
    if (value !== '') form.set(name, value)
  }
  return ok(form)
}

export const isForm = (contentType: string | undefined): boolean =>
  /^application\/x-www-form-urlencoded *(;.*)?$/i.test(contentType ?? '')

/** What a stranger wrote is not repeated. */
const known = (name: string): string => (/^[a-z_]{1,40}$/.test(name) ? name : 'A parameter')
