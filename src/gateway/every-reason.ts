import type { Principal } from '../identity/index.ts'
import type { NotInForce } from '../licensing/index.ts'
import { inPrecedence, objectionsUnder, type Asked, type DecisionReason } from '../policy/index.ts'
import type { Gateway } from './gateway.ts'
import type { Refusal } from './refusal.ts'

/** A license that is not in force is the first reason; whatever else is wrong with the call is told as well. */
export function everyReason(
  gateway: Gateway,
  principal: Principal,
  notInForce: NotInForce,
  asked: Asked,
): readonly Refusal[] {
  const { refusals, revision } = notInForce
  return revision === undefined
    ? refusals
    : inPrecedence<DecisionReason>([...refusals, ...objectionsUnder(gateway, principal, revision, asked)])
}
