import type { Result } from '../kernel/index.ts'
import type { Sensitive } from './sensitive.ts'

/** How an audience's content is treated before it leaves for the model host. */
export const privacyModes = ['pass', 'detect', 'pseudonymize', 'redact', 'block'] as const
export type PrivacyMode = (typeof privacyModes)[number]

export type PrivacyRefusal = { reason: 'privacy_mode_unavailable'; mode: PrivacyMode }

/**
 * The step before the model host. `pass` hands the content on; a license that asks for more than this version can do
 * is refused, because content that should have been protected must not go out unprotected.
 */
export function protect(mode: PrivacyMode, content: Sensitive<string>): Result<Sensitive<string>, PrivacyRefusal> {
  if (mode === 'pass') return { ok: true, value: content }
  return { ok: false, error: { reason: 'privacy_mode_unavailable', mode } }
}
