import { z } from '@hono/zod-openapi'
import { err, instant, isoOf, ok, type Instant } from '../../kernel/index.ts'
import type { Tx } from '../../db/index.ts'
import { findLicenseRow, grantOf, licenseAsOf, loadLicenses, type LicenseFacts } from '../../licensing/index.ts'
import { defineOperation } from '../operation.ts'
import { At, Name, page, pageByName, Paging, readers } from '../parts.ts'
import { notFound } from '../refusal.ts'
import { licenseEtag, shownActs, shownAttestations, shownGrant, shownRevision, shownState } from '../shown.ts'

const State = z.looseObject({ state: z.string() })
const Revision = z.looseObject({ revision: z.int(), effective_at: z.string(), recorded_at: z.string() })
const Grant = z.looseObject({ license: z.string(), plan: z.string() }).openapi({
  description: 'In the form of tenants/<tenant>/license.yaml; see the JSON Schema tenants/schema/license.json.',
})
export const License = z
  .object({
    license: z.string(),
    tenant: z.string(),
    state: State,
    revision: z.int(),
    grant: Grant.openapi({ description: 'What the revision in force says; send it back, changed, as an amendment.' }),
    overdue: z.array(z.object({ kind: z.string(), due_at: z.string() })),
  })
  .openapi('License')
export const ofLicense = z.object({ license: Name })

/** A license with all its facts, and whose it is; undefined: there is none, or it is another tenant's. */
export async function findLicense(
  tx: Tx,
  license: string,
): Promise<{ tenant: string; facts: LicenseFacts } | undefined> {
  const row = await findLicenseRow(tx, license)
  if (row === undefined) return undefined
  const facts = (await loadLicenses(tx, [row.tenantId])).find((candidate) => candidate.license === license)
  return facts === undefined ? undefined : { tenant: row.tenant, facts }
}

export const etagOfLicense = async (tx: Tx, license: string): Promise<string | undefined> => {
  const found = await findLicense(tx, license)
  return found === undefined ? undefined : licenseEtag(found.facts)
}

/** As it stands at an instant, as far as that was known at another. */
export function shownLicense(tenant: string, facts: LicenseFacts, when: { at: Instant; knownAt: Instant }) {
  const asOf = licenseAsOf(facts, when)
  if (asOf === undefined) return undefined
  const { revision, state, overdue } = asOf
  return {
    license: facts.license,
    tenant,
    state: shownState(state),
    revision: revision.revision,
    grant: shownGrant(grantOf(facts, revision)),
    overdue: overdue.map(({ kind, dueAt }) => ({ kind, due_at: isoOf(dueAt) })),
  }
}

/** What a reply about a license is after it was changed. */
export async function licenseReply(tx: Tx, license: string, now: Instant, status: 200 | 201 = 200) {
  const found = await findLicense(tx, license)
  const shown = found === undefined ? undefined : shownLicense(found.tenant, found.facts, { at: now, knownAt: now })
  if (found === undefined || shown === undefined) return err([notFound('license', license)])
  return ok({ status, body: shown, etag: licenseEtag(found.facts) })
}

export const listLicenses = defineOperation({
  id: 'listLicenses',
  method: 'get',
  path: '/licenses',
  tag: 'licenses',
  summary: 'Every license, by number',
  roles: readers,
  query: z.strictObject({ ...Paging, tenant: Name.optional() }),
  answer: page(License),
  run: ({ tx, by }, { query }) =>
    pageByName(query, {
      read: ({ after, limit }) =>
        tx
          .selectFrom('license')
          .innerJoin('tenant', 'tenant.tenant_id', 'license.tenant_id')
          .select(['license.license', 'license.tenant_id', 'tenant.tenant'])
          .where('license.license', '>', after)
          .$if(query.tenant !== undefined, (select) => select.where('tenant.tenant', '=', query.tenant ?? ''))
          .orderBy('license.license')
          .limit(limit)
          .execute(),
      nameOf: ({ license }) => license,
      async show(rows) {
        const facts = await loadLicenses(tx, [...new Set(rows.map(({ tenant_id }) => tenant_id))])
        const factsOf = new Map(facts.map((each) => [each.license, each]))
        return rows.flatMap(({ license, tenant }) => {
          const found = factsOf.get(license)
          const shown = found && shownLicense(tenant, found, { at: by.now, knownAt: by.now })
          return shown === undefined ? [] : [shown]
        })
      },
    }),
})

export const getLicense = defineOperation({
  id: 'getLicense',
  method: 'get',
  path: '/licenses/{license}',
  tag: 'licenses',
  summary: 'A license as it stands now',
  roles: readers,
  params: ofLicense,
  answer: License,
  run: ({ tx, by }, { params }) => licenseReply(tx, params.license, by.now),
})

export const getLicenseAsOf = defineOperation({
  id: 'getLicenseAsOf',
  method: 'get',
  path: '/licenses/{license}/as-of',
  tag: 'licenses',
  summary: 'What was in force at an instant, as far as it was known at another',
  roles: readers,
  params: ofLicense,
  query: z.strictObject({ at: At, known_at: At.optional() }),
  answer: License,
  async run({ tx, by }, { params, query }) {
    const found = await findLicense(tx, params.license)
    if (found === undefined) return err([notFound('license', params.license)])
    const knownAt = query.known_at ?? by.now
    const shown = shownLicense(found.tenant, found.facts, { at: query.at, knownAt: instant(knownAt) })
    if (shown !== undefined) return ok({ body: shown })
    return err([
      {
        status: 404,
        reason: 'not_known_then',
        message: `Nothing of ${params.license} was recorded by ${isoOf(instant(knownAt))}.`,
      },
    ])
  },
})

export const getLicenseHistory = defineOperation({
  id: 'getLicenseHistory',
  method: 'get',
  path: '/licenses/{license}/history',
  tag: 'licenses',
  summary: 'Everything that was recorded of a license',
  roles: readers,
  params: ofLicense,
  answer: z.object({
    license: z.string(),
    tenant: z.string(),
    revisions: z.array(Revision),
    acts: z.array(z.looseObject({ act: z.string() })),
    attestations: z.array(z.looseObject({ kind: z.string() })),
  }),
  async run({ tx }, { params }) {
    const found = await findLicense(tx, params.license)
    if (found === undefined) return err([notFound('license', params.license)])
    const { tenant, facts } = found
    return ok({
      body: {
        license: facts.license,
        tenant,
        revisions: facts.revisions.map(shownRevision),
        acts: shownActs(facts),
        attestations: shownAttestations(facts),
      },
      etag: licenseEtag(facts),
    })
  },
})
