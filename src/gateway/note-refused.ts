import { requestName, type Instant } from '../kernel/index.ts'
import type { AuditEntry } from '../audit/index.ts'
import type { Operation, Principal, Purpose } from '../identity/index.ts'
import type { Asked } from '../policy/index.ts'
import type { Asking, Gateway } from './gateway.ts'
import { toWire, type Refusal } from './refusal.ts'

type Call = Asking & { readonly operation: Operation }

/** A call that a gate refused to somebody who is known, as far as it was read. */
export interface RefusedCall {
  readonly principal: Principal
  readonly asked: Asked | undefined
}

/**
 * Enters a refused call: who asked for what, and every reason. Nothing that the caller wrote is in it: a model, a purpose
 * and a facility are named when they are ours or the tenant's own.
 */
export function noteRefused(gateway: Gateway, call: Call, refused: RefusedCall, refusals: readonly Refusal[]): void {
  const codes = refusals.map((refusal) => toWire(refusal).code)
  gateway.entries.append({
    ...entryOf(gateway, call, refused),
    action: 'call.refuse',
    outcome: 'refused',
    reason: codes[0],
    facts: { ...factsOf(call, refused), reasons: [...new Set(refusals.map(({ reason }) => reason))] },
  })
}

/** Enters that treatment went on over budgets that had ended, and says so to the operator. */
export function noteBreakGlass(
  gateway: Gateway,
  call: Call,
  { budgets, ...allowed }: RefusedCall & { readonly budgets: readonly string[] },
): void {
  gateway.log.warn('quota.break_glass', { request: requestName(call.requestId), budgets })
  gateway.entries.append({
    ...entryOf(gateway, call, allowed),
    action: 'call.break-glass',
    outcome: 'done',
    reason: 'a budget had ended',
    facts: { ...factsOf(call, allowed), budgets },
  })
}

function entryOf(gateway: Gateway, call: { readonly now: Instant }, { principal, asked }: RefusedCall) {
  const { tenant, application } = principal
  return {
    tenantId: tenant.tenantId,
    at: call.now,
    agent: { kind: 'application', name: application.application, roles: [] },
    entity: { type: 'model', id: knownModel(gateway, asked?.model) },
    purpose: application.purposes.find((purpose: Purpose) => purpose === asked?.purpose),
  } satisfies Partial<AuditEntry>
}

function factsOf(call: Call, { principal, asked }: RefusedCall): AuditEntry['facts'] {
  const facility = principal.application.facilities.find((site) => site.facility === asked?.facility)?.facility
  return {
    request: requestName(call.requestId),
    operation: call.operation,
    key: principal.keyId,
    ...(facility === undefined ? {} : { facility }),
  }
}

function knownModel(gateway: Gateway, asked: string | undefined): string {
  const [name = '', version] = (asked ?? '').split('@')
  const model = gateway.findModel(name)
  if (model === undefined) return 'unknown'
  return version !== undefined && model.versions.has(version) ? `${name}@${version}` : name
}
