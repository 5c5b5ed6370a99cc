import { z } from '@hono/zod-openapi'
import { err, isoOf, ok, requestName } from '../../kernel/index.ts'
import { operations } from '../../identity/index.ts'
import { decideAsOf, replayCall, untilUnfolded } from '../../metering/index.ts'
import type { Decision } from '../../policy/index.ts'
import { defineOperation } from '../operation.ts'
import { At, Name } from '../parts.ts'
import { notFound } from '../refusal.ts'

const Decided = z
  .object({
    outcome: z.enum(['permit', 'deny']),
    reasons: z.array(z.looseObject({ reason: z.string() })).openapi({ description: 'Every one, the first first.' }),
    license: z.string().nullable(),
    revision: z.int().nullable(),
    version: z.string().nullable(),
    policies: z.array(z.string()),
    evaluated_at: z.string(),
  })
  .openapi('Decision')

const shown = ({ outcome, reasons, license, revision, permit, evaluatedAt }: Decision) => ({
  outcome,
  reasons,
  license: license ?? null,
  revision: revision ?? null,
  version: permit === undefined ? null : `${permit.model.model}@${permit.version.version}`,
  policies: permit?.policies ?? [],
  evaluated_at: isoOf(evaluatedAt),
})

const deciders = ['owner-admin', 'licensing', 'auditor'] as const

export const decideUseAsOf = defineOperation({
  id: 'decideAsOf',
  method: 'get',
  path: '/decisions',
  tag: 'decisions',
  summary: 'What would be decided of a use, now or at an instant, and every reason',
  roles: deciders,
  query: z.strictObject({
    tenant: Name,
    application: Name,
    model: Name.openapi({ description: '`model` or `model@version`' }),
    operation: z.enum(operations),
    purpose: Name.optional(),
    facility: Name.optional(),
    at: At.optional(),
    known_at: At.optional().openapi({ description: 'What was recorded later counts as not said.' }),
  }),
  answer: Decided,
  async run({ tx, needs, by }, { query }) {
    const { tenant, application, model, operation, purpose, facility } = query
    const at = query.at ?? by.now
    const use = { tenant, application, model, operation, purpose, facility, at, knownAt: query.known_at ?? by.now }
    const decision = await decideAsOf(tx, needs.log, use)
    return decision === undefined
      ? err([notFound('application', `${tenant}/${application}`)])
      : ok({ body: shown(decision) })
  },
})

export const replayDecision = defineOperation({
  id: 'replayDecision',
  method: 'get',
  path: '/decisions/{request_id}',
  tag: 'decisions',
  summary: 'Makes the decision on a recorded call again, with the facts of then',
  roles: deciders,
  params: z.object({ request_id: Name }),
  answer: z.object({
    is_same: z.boolean(),
    recorded: z.looseObject({ request_id: z.string(), tenant: z.string(), outcome: z.enum(['permit', 'deny']) }),
    decision: Decided,
  }),
  async run({ tx, needs }, { params }) {
    await untilUnfolded(needs.database)
    const replayed = await replayCall(tx, needs.log, params.request_id)
    if (replayed === undefined) return err([notFound('call', params.request_id)])
    const { recorded, decision, isSame } = replayed
    return ok({
      body: {
        is_same: isSame,
        recorded: {
          request_id: requestName(recorded.requestId),
          tenant: recorded.tenant,
          application: recorded.application,
          model: recorded.model,
          operation: recorded.operation,
          purpose: recorded.purpose ?? null,
          facility: recorded.facility ?? null,
          at: isoOf(recorded.at),
          outcome: recorded.outcome,
          license: recorded.license ?? null,
          revision: recorded.revision ?? null,
          policies: recorded.policies,
          reasons: recorded.reasons,
        },
        decision: shown(decision),
      },
    })
  },
})
