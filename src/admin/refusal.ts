import { assertNever } from '../kernel/index.ts'
import {
  mayBeExplained,
  monthName,
  type CloseRefusal,
  type CreditRefusal,
  type Period,
  type ReopenRefusal,
  type ResolveRefusal,
  type VerifyRefusal,
} from '../billing/index.ts'
import type { AdminTokenRefusal, KeyRefusal } from '../identity/index.ts'
import { revisionRefusalInWords, type ActRefusal, type RecordRefusal } from '../licensing/index.ts'
import { wordsForVersion, type NoticeRefusal, type VersionRefusal } from '../release/index.ts'
import type { DeclarationProblem } from './declaring.ts'

/** A refusal as the control plane tells it: a problem in the form of RFC 9457, in the words of a licensing office. */
export interface AdminRefusal {
  readonly status: 400 | 401 | 403 | 404 | 409 | 412 | 413 | 415 | 422 | 428
  readonly reason: string
  readonly message: string
  /** What to do instead. */
  readonly advice?: string
  /** Where in what was sent, as a JSON pointer (RFC 6901). */
  readonly pointer?: string
  /** What a second person would be asked about. */
  readonly widens?: readonly string[]
}

type Words = Omit<AdminRefusal, 'reason'>

/** Whatever is another tenant's is not there. */
export const notFound = (what: string, name: string): AdminRefusal => ({
  status: 404,
  reason: 'not_found',
  message: `There is no ${what} ${name}.`,
})

export const refusedKey = (refusal: KeyRefusal): AdminRefusal => ({ reason: refusal.reason, ...keyWords(refusal) })

function keyWords(refusal: KeyRefusal): Words {
  switch (refusal.reason) {
    case 'tenant_not_found':
      return notFound('tenant', refusal.tenant)
    case 'application_not_found':
      return notFound('application', refusal.application)
    case 'key_not_found':
      return { status: 404, message: `There is no live key ${refusal.keyId}.` }
    case 'scope_not_granted':
      return {
        status: 422,
        message: `The application does not have the scope ${refusal.scope}.`,
        advice: `It has ${refusal.granted.join(', ')}.`,
        pointer: '/scopes',
      }
    case 'expiry_out_of_range':
      return { status: 422, message: `A key lasts from 1 to ${refusal.daysMax} days.`, pointer: '/days' }
    default:
      return assertNever(refusal, 'a key refusal')
  }
}

export const refusedToken = (refusal: AdminTokenRefusal): AdminRefusal => ({
  reason: refusal.reason,
  ...tokenWords(refusal),
})

function tokenWords(refusal: AdminTokenRefusal): Words {
  switch (refusal.reason) {
    case 'tenant_not_found':
      return { ...notFound('tenant', refusal.tenant), pointer: '/tenant' }
    case 'token_not_found':
      return notFound('admin token', refusal.tokenId)
    case 'roles_do_not_fit':
      return {
        status: 422,
        message:
          refusal.tenant === undefined
            ? 'These roles are not the owner’s.'
            : `These roles are not those of an administrator of ${refusal.tenant}.`,
        advice:
          'The owner’s are owner-admin, licensing, finance, auditor; a tenant’s are tenant-admin, tenant-viewer, with tenant named.',
        pointer: '/roles',
      }
    case 'too_many_tokens':
      return { status: 409, message: `There are ${refusal.tokensMax} live tokens.`, advice: 'Let some expire.' }
    case 'expiry_out_of_range':
      return { status: 422, message: `A token lasts from 1 to ${refusal.daysMax} days.`, pointer: '/days' }
    case 'scopes_exceed_makers':
      return {
        status: 422,
        message: `Your token is not for ${refusal.scopes.join(', ')}, and cannot hand that on.`,
        pointer: '/scopes',
      }
    default:
      return assertNever(refusal, 'a token refusal')
  }
}

export const refusedAct = (refusal: ActRefusal): AdminRefusal => ({ reason: refusal.reason, ...actWords(refusal) })

function actWords(refusal: ActRefusal): Words {
  switch (refusal.reason) {
    case 'license_not_found':
      return notFound('license', refusal.license)
    case 'act_changes_nothing':
      return { status: 409, message: `${refusal.license} is ${refusal.state}; there is nothing to ${refusal.act}.` }
    case 'license_over':
      return over(refusal)
    case 'drafter_cannot_activate':
      return {
        status: 409,
        message: `${refusal.license} was drafted by ${refusal.drafter}.`,
        advice: 'Somebody else has to activate it.',
      }
    case 'until_is_past':
      return { status: 422, message: 'That instant lies in the past.', pointer: '/until' }
    default:
      return assertNever(refusal, 'a license refusal')
  }
}

const over = ({ license, state }: { license: string; state: string }): Words => ({
  status: 409,
  message: `${license} is ${state}, and that is for good.`,
  advice: 'Grant a new license.',
})

export const refusedRecord = (refusal: RecordRefusal): AdminRefusal => ({
  reason: refusal.reason,
  ...recordWords(refusal),
})

function recordWords(refusal: RecordRefusal): Words {
  switch (refusal.reason) {
    case 'second_person_needed':
      return { status: 409, message: revisionRefusalInWords(refusal), widens: refusal.widens }
    case 'evaluation_for_treatment':
    case 'term_is_backward':
      return { status: 422, message: revisionRefusalInWords(refusal), pointer: '/grant' }
    case 'backdated':
      return { status: 422, message: revisionRefusalInWords(refusal), pointer: '/effective_at' }
    case 'tenant_not_found':
      return notFound('tenant', refusal.tenant)
    case 'license_not_found':
      return notFound('license', refusal.license)
    case 'license_taken':
      // Whose it is, is nobody's business.
      return { status: 409, message: `${refusal.license} is taken.`, advice: 'Choose another number.' }
    case 'license_over':
      return over(refusal)
    case 'nothing_changes':
      return { status: 409, message: `${refusal.license} says that already.` }
    case 'facilities_to_name':
      return {
        status: 409,
        message: `${refusal.license} is limited to the facilities ${refusal.facilities.join(', ')}, which are its tenant’s own.`,
        advice: 'Amend it first, or grant a new license.',
      }
    default:
      return assertNever(refusal, 'a license refusal')
  }
}

export function refusedVersion(refusal: VersionRefusal): AdminRefusal {
  const { message, advice } = wordsForVersion(refusal)
  const status = refusal.reason === 'version_not_found' ? 404 : 409
  return { status, reason: refusal.reason, message, advice }
}

export const refusedNotice = (refusal: NoticeRefusal): AdminRefusal => ({
  reason: refusal.reason,
  ...noticeWords(refusal),
})

function noticeWords(refusal: NoticeRefusal): Words {
  switch (refusal.reason) {
    case 'version_not_found':
      return notFound('version', `${refusal.model}@${refusal.version}`)
    case 'notice_not_found':
      return notFound('notice', refusal.noticeId)
    case 'notice_too_short':
      return {
        status: 422,
        message: `${refusal.days} days are too short a notice.`,
        advice: `This model’s is at least ${refusal.daysMin} days.`,
        pointer: '/days',
      }
    case 'nobody_to_notify':
      return { status: 409, message: `Nobody pins an older version of ${refusal.model} than ${refusal.version}.` }
    default:
      return assertNever(refusal, 'a notice refusal')
  }
}

/** One for each item that is open, so that whoever closes sees all that is missing. */
export function refusedPeriod(refusal: CloseRefusal | ReopenRefusal | VerifyRefusal): readonly AdminRefusal[] {
  if (refusal.reason !== 'period_not_ready') return [{ reason: wordOf(refusal), ...periodWords(refusal) }]
  return refusal.checklist
    .filter(({ state }) => state === 'open')
    .map(({ item, found }) => ({
      status: 409,
      reason: 'period_not_ready',
      message: `${item}: ${found}.`,
      ...(mayBeExplained(item) ? { advice: 'Say in explain why it may stay so.', pointer: `/explain/${item}` } : {}),
    }))
}

type PeriodRefusal = Exclude<CloseRefusal | ReopenRefusal | VerifyRefusal, { reason: 'period_not_ready' }>

/** A second person is asked for under one name, whatever is to be approved. */
const wordOf = ({ reason }: PeriodRefusal): string =>
  reason === 'second_person_missing' ? 'second_person_needed' : reason

const ofLicense = ({ license, period }: { license: string; period: Period }) => `${monthName(period)} of ${license}`

function periodWords(refusal: PeriodRefusal): Words {
  switch (refusal.reason) {
    case 'license_not_found':
      return notFound('license', refusal.license)
    case 'period_closed':
      return {
        status: 409,
        message: `${ofLicense(refusal)} is closed${refusal.invoice === undefined ? '' : `: ${refusal.invoice}`}.`,
      }
    case 'period_before_license':
      return { status: 404, message: `${ofLicense(refusal)} lies before the license.` }
    case 'currencies_differ':
      return { status: 409, message: `${ofLicense(refusal)} is priced in ${refusal.currencies.join(' and ')}.` }
    case 'period_not_closed':
      return { status: 409, message: `${ofLicense(refusal)} is not closed.` }
    case 'later_period_closed':
      return {
        status: 409,
        message: `${monthName(refusal.later)} is closed already.`,
        advice: 'Open that one again first, or let corrections do it.',
      }
    case 'second_person_missing':
      return {
        status: 409,
        message: `Two people stand behind opening ${ofLicense(refusal)} again: a second one has to approve.`,
        widens: [
          `${ofLicense(refusal)} is opened again${refusal.invoice === undefined ? '' : ` and ${refusal.invoice} taken back`}`,
        ],
      }
    case 'reason_missing':
      return { status: 422, message: 'Say why.', pointer: '/reason' }
    default:
      return assertNever(refusal, 'a refusal of a period')
  }
}

export const refusedCredit = (refusal: CreditRefusal): AdminRefusal => ({
  reason: refusal.reason,
  ...creditWords(refusal),
})

function creditWords(refusal: CreditRefusal): Words {
  switch (refusal.reason) {
    case 'invoice_not_found':
      return notFound('invoice', refusal.number)
    case 'invoice_credited':
      return { status: 409, message: `${refusal.number} was taken back by ${refusal.by}.` }
    case 'credit_note_credited':
      return { status: 409, message: `${refusal.number} is a credit note itself.` }
    case 'prepaid_credit_moved':
      return {
        status: 409,
        message: `${refusal.number} moved prepaid credit.`,
        advice: 'Open its month again: that takes it back, and the credit with it.',
      }
    case 'reason_missing':
      return { status: 422, message: 'Say why.', pointer: '/reason' }
    default:
      return assertNever(refusal, 'a refusal of a credit note')
  }
}

export const refusedResolve = (refusal: ResolveRefusal): AdminRefusal => ({
  // A second person is asked for under one name, whatever is to be approved.
  reason: refusal.reason === 'second_person_missing' ? 'second_person_needed' : refusal.reason,
  ...resolveWords(refusal),
})

function resolveWords(refusal: ResolveRefusal): Words {
  switch (refusal.reason) {
    case 'exception_not_found':
      return notFound('exception', refusal.exception)
    case 'exception_ended':
      return { status: 409, message: `It is ${refusal.state} already.` }
    case 'exception_changed':
      return { status: 409, message: 'It is not as it was found.', advice: 'Run the reconciliation again.' }
    case 'not_correctable':
      return {
        status: 409,
        message: `${refusal.class} is not corrected in the ledger: ${refusal.why}.`,
        advice: 'Two people may accept it.',
      }
    case 'second_person_missing':
      return {
        status: 409,
        message: 'Two people stand behind a difference that stays: a second one has to approve.',
        widens: [`${refusal.class} of ${refusal.subject} stays as it is`],
      }
    case 'reason_missing':
      return { status: 422, message: 'Say why.', pointer: '/reason' }
    default:
      return assertNever(refusal, 'a refusal of a difference')
  }
}

/** `below`: where in the request the declaration stands. */
export const refusedDeclaration =
  (below: string) =>
  (problem: DeclarationProblem): AdminRefusal => ({
    status: 422,
    reason: 'declaration_refused',
    message: problem.message,
    advice: problem.advice,
    pointer: below + pointerOf(problem.path),
  })

/** `entitlements[0].pin` → `/entitlements/0/pin` */
const pointerOf = (path: string): string =>
  path === ''
    ? ''
    : `/${path
        .replaceAll('~', '~0')
        .replaceAll('/', '~1')
        .replaceAll(/\[(\d+)\]/g, '.$1')
        .replaceAll('.', '/')}`
