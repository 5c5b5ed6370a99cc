import { z } from '@hono/zod-openapi'
import { err, type Result } from '../../kernel/index.ts'
import {
  amendLicense,
  findLicenseRow,
  grantLicense,
  renewLicense,
  transferLicense,
  type LicenseGrant,
  type RecordedRevision,
  type RecordRefusal,
} from '../../licensing/index.ts'
import { defineOperation, type Doing, type Done } from '../operation.ts'
import { At, licensingOffice, Name, Reason } from '../parts.ts'
import { notFound, refusedDeclaration, refusedRecord, type AdminRefusal } from '../refusal.ts'
import { findTenant } from './tenants.ts'
import { etagOfLicense, License, licenseReply, ofLicense } from './licenses.ts'

const Grant = z.looseObject({ license: Name }).openapi({
  description: 'In the form of tenants/<tenant>/license.yaml; see the JSON Schema tenants/schema/license.json.',
})

/** Read as a file of the declarations is: JSON is YAML, and the problems say where. */
async function readGrant(
  { tx, needs, by }: Doing,
  tenant: string,
  grant: unknown,
): Promise<Result<LicenseGrant, readonly AdminRefusal[]>> {
  const read = await needs.declaring.readGrant(tx, tenant, JSON.stringify(grant), by.now)
  return read.ok ? read : err(read.error.map(refusedDeclaration('/grant')))
}

async function replyOf(
  { tx, by }: Doing,
  recorded: Result<RecordedRevision, readonly RecordRefusal[]>,
  status: 200 | 201,
): Promise<Done> {
  return recorded.ok ? licenseReply(tx, recorded.value.license, by.now, status) : err(recorded.error.map(refusedRecord))
}

export const createLicense = defineOperation({
  id: 'createLicense',
  method: 'post',
  path: '/tenants/{tenant}/licenses',
  tag: 'licenses',
  summary: 'Drafts a license, or grants one at once, which takes a second person',
  roles: licensingOffice,
  params: z.object({ tenant: Name }),
  body: z.strictObject({
    grant: Grant,
    draft: z
      .boolean()
      .default(true)
      .openapi({ description: 'A draft grants nothing until another person activates it.' }),
  }),
  answer: License,
  creates: true,
  async run(doing, { params, body }) {
    const { tx, by } = doing
    if ((await findTenant(tx, params.tenant)) === undefined) return err([notFound('tenant', params.tenant)])
    const grant = await readGrant(doing, params.tenant, body.grant)
    if (!grant.ok) return grant
    const wish = { tenant: params.tenant, grant: grant.value, isDraft: body.draft }
    return replyOf(doing, await grantLicense(tx, wish, by), 201)
  },
})

export const amendOneLicense = defineOperation({
  id: 'amendLicense',
  method: 'post',
  path: '/licenses/{license}/amend',
  tag: 'licenses',
  summary: 'Records a revision. One that allows more than before takes a second person',
  roles: licensingOffice,
  params: ofLicense,
  body: z.strictObject({
    grant: Grant,
    effective_at: At.optional().openapi({ description: 'Now, when it is left out.' }),
    is_correction: z
      .boolean()
      .default(false)
      .openapi({ description: 'It sets right what was recorded wrongly, and may take effect in the past.' }),
  }),
  answer: License,
  guard: 'required',
  etagOf: ({ tx }, params) => etagOfLicense(tx, params.license),
  async run(doing, { params, body }) {
    const { tx, by } = doing
    const { license } = params
    const row = await findLicenseRow(tx, license)
    if (row === undefined) return err([notFound('license', license)])
    const grant = await readGrant(doing, row.tenant, body.grant)
    if (!grant.ok) return grant
    if (grant.value.license !== license)
      return err([
        {
          status: 422,
          reason: 'another_license',
          message: `The grant is of ${grant.value.license}, and what is to be amended is ${license}.`,
          pointer: '/grant/license',
        },
      ])
    const wish = {
      license,
      change: () => grant.value,
      effectiveAt: body.effective_at ?? by.now,
      isCorrection: body.is_correction,
    }
    return replyOf(doing, await amendLicense(tx, wish, by), 200)
  },
})

export const renewOneLicense = defineOperation({
  id: 'renewLicense',
  method: 'post',
  path: '/licenses/{license}/renew',
  tag: 'licenses',
  summary: 'A new term, which begins where the one before ends. It takes a second person',
  roles: licensingOffice,
  params: ofLicense,
  body: z.strictObject({ end: At, plan: Name.optional() }),
  answer: License,
  guard: 'required',
  etagOf: ({ tx }, params) => etagOfLicense(tx, params.license),
  async run(doing, { params, body }) {
    const { tx, by } = doing
    if (body.plan !== undefined && !(await isPlan(doing, body.plan)))
      return err([{ ...notFound('plan', body.plan), status: 422, pointer: '/plan' }])
    const wish = { license: params.license, end: body.end, plan: body.plan }
    return replyOf(doing, await renewLicense(tx, wish, by), 200)
  },
})

const isPlan = async ({ tx }: Doing, plan: string): Promise<boolean> =>
  (await tx.selectFrom('plan_revision').select('plan').where('plan', '=', plan).limit(1).execute()).length === 1

export const transferOneLicense = defineOperation({
  id: 'transferLicense',
  method: 'post',
  path: '/licenses/{license}/transfer',
  tag: 'licenses',
  summary: 'Ends a license at one tenant and begins it at another. It takes a second person',
  roles: licensingOffice,
  params: ofLicense,
  body: z.strictObject({ to_tenant: Name, as: Name, reason: Reason }),
  answer: License,
  creates: true,
  guard: 'required',
  etagOf: ({ tx }, params) => etagOfLicense(tx, params.license),
  async run(doing, { params, body }) {
    const { tx, by } = doing
    const wish = { license: params.license, toTenant: body.to_tenant, toLicense: body.as, reason: body.reason }
    return replyOf(doing, await transferLicense(tx, wish, by), 201)
  },
})
