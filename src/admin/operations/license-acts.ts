import { z } from '@hono/zod-openapi'
import { err } from '../../kernel/index.ts'
import { actOnLicense, attest, AttestationKind, type DirectAct } from '../../licensing/index.ts'
import { defineOperation } from '../operation.ts'
import { At, licensingOffice, Reason } from '../parts.ts'
import { refusedAct } from '../refusal.ts'
import { etagOfLicense, License, licenseReply, ofLicense } from './licenses.ts'

/** Only a suspension ends by itself. */
const Act = z.strictObject({ reason: Reason }).transform((body) => ({ ...body, until: undefined }))
const Suspension = z.strictObject({
  reason: Reason,
  until: At.optional().openapi({ description: 'It is resumed then by itself.' }),
})

/** An act that needs nothing but a reason. What takes away waits for nobody's latest look at the license. */
const act = (name: DirectAct, { summary, guard }: { summary: string; guard: 'optional' | 'required' }) =>
  defineOperation({
    id: `${name}License`,
    method: 'post',
    path: `/licenses/{license}/${name}`,
    tag: 'licenses',
    summary,
    roles: licensingOffice,
    params: ofLicense,
    body: name === 'suspend' ? Suspension : Act,
    answer: License,
    guard,
    etagOf: ({ tx }, params) => etagOfLicense(tx, params.license),
    async run({ tx, by }, { params, body }) {
      const { actor, now } = by
      const { until } = body
      const acted = await actOnLicense(tx, {
        license: params.license,
        act: name,
        reason: body.reason,
        until,
        actor,
        now,
      })
      return acted.ok ? licenseReply(tx, params.license, now) : err([refusedAct(acted.error)])
    },
  })

export const activateLicense = act('activate', {
  summary: 'Puts a draft in force. It takes another person than the one who drafted it',
  guard: 'required',
})
export const suspendLicense = act('suspend', {
  summary: 'Refuses every call of a license, everywhere within a second, until it is resumed',
  guard: 'optional',
})
export const resumeLicense = act('resume', { summary: 'Ends a suspension', guard: 'required' })
export const revokeLicense = act('revoke', { summary: 'Ends a license for good, for safety', guard: 'optional' })
export const terminateLicense = act('terminate', { summary: 'Ends a license for good, by contract', guard: 'optional' })

export const attestLicense = defineOperation({
  id: 'attestLicense',
  method: 'post',
  path: '/licenses/{license}/attestations',
  tag: 'licenses',
  summary: 'Records what a tenant has attested',
  roles: licensingOffice,
  params: ofLicense,
  body: z.strictObject({ kind: AttestationKind, attested_at: At.optional(), valid_until: At.optional() }),
  answer: License,
  creates: true,
  async run({ tx, by }, { params, body }) {
    const { actor, now } = by
    const dates = { attestedAt: body.attested_at ?? now, validUntil: body.valid_until }
    const taken = await attest(tx, { license: params.license, kind: body.kind, ...dates, actor, now })
    return taken.ok ? licenseReply(tx, params.license, now, 201) : err([refusedAct(taken.error)])
  },
})
