import { z } from '@hono/zod-openapi'
import { err, ok } from '../../kernel/index.ts'
import { areTwoPeople, type Role } from '../../identity/index.ts'
import {
  changeRequestsMax,
  decideChangeRequest,
  findChangeRequest,
  holdChangeRequest,
  listChangeRequests,
  type ChangeRequest,
} from '../change-request.ts'
import { defineOperation, type AnyOperation, type Doing } from '../operation.ts'
import { financeOffice, licensingOffice, Name, ownersPeople, Reason } from '../parts.ts'
import { notFound, type AdminRefusal } from '../refusal.ts'
import { shownChangeRequest } from '../shown.ts'

const Change = z
  .object({
    change_request: z.string(),
    state: z.enum(['open', 'approved', 'rejected']),
    operation: z.string(),
    params: z.looseObject({}),
    body: z.looseObject({}),
    widens: z.array(z.string()).openapi({ description: 'What would be allowed that is not now.' }),
    asked_by: z.string(),
    asked_at: z.string(),
    decided_by: z.string().nullable(),
    decided_at: z.string().nullable(),
    reason: z.string().nullable(),
  })
  .openapi('ChangeRequest')
const ofChange = z.object({ change_request: Name })

/** Of what was asked, those decide who might have asked for it. */
const deciders: readonly Role[] = [...new Set([...licensingOffice, ...financeOffice])]

export const listRequests = defineOperation({
  id: 'listChangeRequests',
  method: 'get',
  path: '/change-requests',
  tag: 'change requests',
  summary: `What waits for a second person, and what was decided: the last ${changeRequestsMax}`,
  roles: ownersPeople,
  query: z.strictObject({ state: z.enum(['open', 'approved', 'rejected']).optional() }),
  answer: z.object({ data: z.array(Change) }),
  run: async ({ tx }, { query }) =>
    ok({ body: { data: (await listChangeRequests(tx, query.state)).map(shownChangeRequest) } }),
})

export const getRequest = defineOperation({
  id: 'getChangeRequest',
  method: 'get',
  path: '/change-requests/{change_request}',
  tag: 'change requests',
  summary: 'One of them',
  roles: ownersPeople,
  params: ofChange,
  answer: Change,
  async run({ tx }, { params }) {
    const found = await findChangeRequest(tx, params.change_request)
    return found === undefined
      ? err([notFound('change request', params.change_request)])
      : ok({ body: shownChangeRequest(found) })
  },
})

export const approveRequest = defineOperation({
  id: 'approveChangeRequest',
  method: 'post',
  path: '/change-requests/{change_request}/approve',
  tag: 'change requests',
  summary: 'The second person says yes, and it is done',
  roles: deciders,
  params: ofChange,
  body: z.strictObject({ reason: Reason }),
  answer: Change,
  async run(doing, { params, body }) {
    const { tx, by } = doing
    const change = await holdChangeRequest(tx, params.change_request)
    const operation = change === undefined ? undefined : doing.findOperation(change.operation)
    if (change === undefined || operation === undefined) return err([notFound('change request', params.change_request)])
    const refusal = refuseRole(operation, doing) ?? refuseDecision(change, doing)
    if (refusal !== undefined) return err([refusal])
    // As it was asked, by whom it was asked, and with whoever says yes as the second.
    const second: Doing = { ...doing, by: { actor: change.askedBy, approvedBy: by.actor, now: by.now } }
    const etag = await operation.etagOf?.(second, change.params)
    if (change.objectEtag !== etag)
      return err([
        {
          status: 409,
          reason: 'changed_meanwhile',
          message: 'What it would change is not as it was when this was asked.',
          advice: 'Reject it, and ask anew.',
        },
      ])
    const done = await operation.run(second, { params: change.params, query: {}, body: change.body })
    if (!done.ok) return done
    await decideChangeRequest(tx, {
      changeId: change.changeId,
      state: 'approved',
      actor: by.actor,
      reason: body.reason,
      now: by.now,
    })
    const decided = await holdChangeRequest(tx, change.changeId)
    return ok({ body: shownChangeRequest(decided ?? change) })
  },
})

export const rejectRequest = defineOperation({
  id: 'rejectChangeRequest',
  method: 'post',
  path: '/change-requests/{change_request}/reject',
  tag: 'change requests',
  summary: 'Somebody says no, or takes back what they asked for',
  roles: deciders,
  params: ofChange,
  body: z.strictObject({ reason: Reason }),
  answer: Change,
  async run(doing, { params, body }) {
    const { tx, by } = doing
    const change = await holdChangeRequest(tx, params.change_request)
    const operation = change === undefined ? undefined : doing.findOperation(change.operation)
    if (change === undefined || operation === undefined) return err([notFound('change request', params.change_request)])
    const refusal = refuseRole(operation, doing)
    if (refusal !== undefined) return err([refusal])
    if (change.state !== 'open') return err([decidedAlready(change)])
    const { changeId } = change
    await decideChangeRequest(tx, { changeId, state: 'rejected', actor: by.actor, reason: body.reason, now: by.now })
    const decided = await holdChangeRequest(tx, changeId)
    return ok({ body: shownChangeRequest(decided ?? change) })
  },
})

const decidedAlready = ({ state, decidedBy }: ChangeRequest): AdminRefusal => ({
  status: 409,
  reason: 'decided_already',
  message: `It was ${state} by ${decidedBy ?? 'somebody'}.`,
})

/** Finance decides on months and not on licenses, the licensing office the other way round. */
function refuseRole({ roles }: AnyOperation, { by }: Doing): AdminRefusal | undefined {
  if (roles.some((role) => by.actor.roles.includes(role))) return undefined
  return {
    status: 403,
    reason: 'role_missing',
    message: `To decide on this takes one of the roles ${roles.join(', ')}.`,
    advice: `You hold ${by.actor.roles.join(', ')}.`,
  }
}

function refuseDecision(change: ChangeRequest, { by }: Doing): AdminRefusal | undefined {
  if (change.state !== 'open') return decidedAlready(change)
  const alone: AdminRefusal = {
    status: 409,
    reason: 'second_person_is_the_first',
    message: `${change.askedBy.name} asked for it, and may be the one who approves it.`,
    advice:
      'Somebody else has to approve it: under another name, and with a token that neither of the two, nor one and the same person, has made for both. Tokens of two people are made at the machine: formulary admin-token create.',
  }
  return areTwoPeople(change.askedBy, by.actor) ? undefined : alone
}
