/**
 * Why a client was not authenticated, and whose rule it was: SMART numbers are those of SMART App Launch 2.2.0. For the log
 * alone: the wire says `invalid_client` for all of them, so that nobody learns by trying which one it was.
 */
export const assertionRules = {
  assertion_missing: 'RFC 7521 4.2',
  assertion_type_wrong: 'RFC 7523 2.2',
  assertion_malformed: 'RFC 7515 5.2, SMART 335',
  algorithm_not_allowed: 'RFC 8725 3.1, SMART 310',
  type_wrong: 'RFC 8725 3.11',
  key_name_missing: 'SMART 338',
  key_in_header: 'RFC 8725 3.10, SMART 338',
  key_address_foreign: 'SMART 338',
  critical_header: 'RFC 7515 4.1.11',
  issuer_wrong: 'RFC 7523 3 (1), SMART 337',
  subject_wrong: 'RFC 7523 3 (2), SMART 337',
  client_id_differs: 'RFC 7521 4.2, SMART 337',
  client_unknown: 'SMART 337',
  client_ended: 'SMART 337',
  audience_wrong: 'RFC 7523 3 (3), SMART 335',
  expiry_missing: 'RFC 7523 3 (4), SMART 335',
  expired: 'RFC 7523 3 (4), SMART 335',
  expires_too_late: 'SMART 336',
  not_yet_valid: 'RFC 7523 3 (5), (6)',
  jti_missing: 'RFC 7523 3 (7), SMART 336',
  key_set_unavailable: 'SMART 339',
  key_unknown: 'SMART 338',
  key_ambiguous: 'SMART 338',
  key_unfit: 'RFC 7518 3.3, SMART 335',
  signature_wrong: 'RFC 7523 3 (9), SMART 335',
  replayed: 'RFC 7523 3 (7), SMART 336',
  proof_replayed: 'RFC 9449 11.1',
  refused_too_often: 'RFC 6819 5.1.4.2.4',
} as const
export type AssertionReason = keyof typeof assertionRules
