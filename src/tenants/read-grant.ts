import { ok, err, type Instant, type Result } from '../kernel/index.ts'
import type { Tx } from '../db/index.ts'
import type { LicenseGrant } from '../licensing/index.ts'
import { checkLicense } from './check-license.ts'
import type { Current } from './change.ts'
import type { Referable } from './declarations.ts'
import { sortProblems, type Problem } from './problem.ts'
import { readLicenseFile, type DeclarationFile } from './read-declarations.ts'
import { grantIn } from './rows.ts'
import { loadCurrent } from './store-current.ts'

/**
 * A grant for a tenant in the form of `tenants/<tenant>/license.yaml` (JSON is YAML too), held to what the database has:
 * the same checks that the declarations go through, for whoever grants or amends without them.
 */
export async function readGrant(
  tx: Tx,
  tenant: string,
  file: DeclarationFile,
  now: Instant,
): Promise<Result<LicenseGrant, readonly Problem[]>> {
  const read = readLicenseFile(file)
  if (!read.ok) return read
  const problems = checkLicense(tenant, read.value, referableIn(await loadCurrent(tx, now)))
  return problems.length > 0 ? err(sortProblems(problems)) : ok(grantIn(read.value.value))
}

/** What a license may name: whatever is not withdrawn or ended. */
export function referableIn(current: Current): Referable {
  const live = <Row>(kept: readonly { readonly row: Row; readonly ended: boolean }[]): readonly Row[] =>
    kept.filter(({ ended }) => !ended).map(({ row }) => row)
  const versions = live(current.version)
  const deployments = live(current.deployment)
  const facilities = live(current.facility)
  const applications = live(current.application)
  return {
    plans: new Map(current.plan.map(({ row }) => [row.plan, row])),
    tenants: new Map(
      live(current.tenant).map(({ tenant }) => [
        tenant,
        {
          value: {
            facilities: facilities.filter((one) => one.tenant === tenant),
            applications: applications.filter((one) => one.tenant === tenant),
          },
        },
      ]),
    ),
    models: new Map(
      live(current.model).map(({ model }) => [
        model,
        {
          value: {
            model,
            versions: versions
              .filter((one) => one.model === model)
              .map(({ version, recalled }) => ({
                version,
                recalled,
                deployments: deployments.filter((one) => one.model === model && one.version === version),
              })),
          },
        },
      ]),
    ),
  }
}
