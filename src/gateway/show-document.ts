import { err, ok, type Result } from '../kernel/index.ts'
import { systemTransaction, tenantTransaction } from '../db/index.ts'
import { authenticate, type PublishedKey } from '../identity/index.ts'
import {
  loadDocumentFacts,
  loadLicenses,
  loadOwnerName,
  requireLicense,
  revisionAt,
  signLicense,
  signRevocations,
} from '../licensing/index.ts'
import type { Asking, Gateway } from './gateway.ts'
import type { Refusal } from './refusal.ts'

/** A compact JWS (RFC 7515), to be kept as a file. */
export interface SignedDocument {
  readonly fileName: string
  readonly text: string
}

/**
 * The caller's license as a signed document, which anybody can check offline with the published keys. Of a license that
 * is not in force too: what it says then, the list of revocations takes back.
 */
export async function showLicenseDocument(
  gateway: Gateway,
  asking: Asking,
): Promise<Result<SignedDocument, readonly Refusal[]>> {
  const principal = await authenticate(gateway, asking, asking.now)
  if (!principal.ok) return err([principal.error])
  const { signing } = gateway
  if (signing === undefined) return err([{ reason: 'not_found' }])
  const licensed = requireLicense(gateway, principal.value, asking.now)
  const license = licensed.ok ? licensed.value.license : licensed.error.license
  if (license === undefined) return err([{ reason: 'license_missing' }])
  const { tenantId } = principal.value.tenant
  const found = await tenantTransaction(gateway.database, tenantId, (tx) => loadDocumentFacts(tx, license))
  const revision = found === undefined ? undefined : (revisionAt(found.facts, asking.now) ?? found.facts.revisions[0])
  if (found === undefined || revision === undefined) return err([{ reason: 'license_missing' }])
  const { tenant, facilities } = found
  const text = await signLicense(await signing(), {
    owner: await ownerName(gateway),
    tenant,
    facilities,
    serial: license,
    revision,
    now: asking.now,
  })
  return ok({ fileName: `${license}.jwt`, text })
}

/** Which of the tenant's own licenses do not hold as their documents say, good for a day. Others' are nobody's business. */
export async function showRevocations(
  gateway: Gateway,
  asking: Asking,
): Promise<Result<SignedDocument, readonly Refusal[]>> {
  const principal = await authenticate(gateway, asking, asking.now)
  if (!principal.ok) return err([principal.error])
  const { signing } = gateway
  if (signing === undefined) return err([{ reason: 'not_found' }])
  const { tenantId, tenant } = principal.value.tenant
  const licenses = await tenantTransaction(gateway.database, tenantId, (tx) => loadLicenses(tx, [tenantId]))
  const owner = await ownerName(gateway)
  const text = await signRevocations(await signing(), { owner, tenant, licenses, now: asking.now })
  return ok({ fileName: `${tenant}-revocations.jwt`, text })
}

/** Beyond what the tenant may see of tenants, and the same for all of them. */
const ownerName = ({ database }: Gateway): Promise<string> =>
  systemTransaction(database, 'read-directory', loadOwnerName)

/** RFC 7517. Without a signing key there is none to publish. */
export const publishedKeys = async ({ signing }: Gateway): Promise<{ readonly keys: readonly PublishedKey[] }> =>
  signing === undefined ? { keys: [] } : (await signing()).published
