import { assert } from '../kernel/index.ts'
import type { Tx } from '../db/index.ts'
import type { ModelFacts, VersionFacts } from '../policy/index.ts'
import { loadVersions, type CardRevision } from '../release/index.ts'

/** An endpoint that serves one version, in a region. Its address comes from the owner's declarations, never a caller. */
export interface Deployment {
  readonly model: string
  readonly version: string
  readonly deployment: string
  readonly url: string
  readonly upstreamModel: string
  readonly region: string
  readonly weight: number
  /** The environment variable that holds its credential. */
  readonly credentialEnv: string | undefined
}

export interface ServedVersion extends VersionFacts {
  readonly deployments: readonly Deployment[]
  /** Of what the version is; it never changes. */
  readonly digest: string
  readonly card: CardRevision | undefined
}

export interface CatalogModel extends ModelFacts {
  readonly title: string
  readonly versions: ReadonlyMap<string, ServedVersion>
}

export type Catalog = ReadonlyMap<string, CatalogModel>

/** Every model, version and deployment that has not been withdrawn. */
export async function loadCatalog(tx: Tx): Promise<Catalog> {
  const models = await tx.selectFrom('model').selectAll().where('withdrawn_at', 'is', null).orderBy('model').execute()
  const versions = await tx.selectFrom('model_version').selectAll().where('withdrawn_at', 'is', null).execute()
  const deployments = await tx
    .selectFrom('deployment')
    .selectAll()
    .where('withdrawn_at', 'is', null)
    .orderBy('deployment')
    .execute()
  const released = await loadVersions(tx)
  const deploymentsOf = Map.groupBy(deployments, (row) => `${row.model}@${row.version}`)
  const versionsOf = Map.groupBy(versions, (row) => row.model)
  return new Map(
    models.map((model): [string, CatalogModel] => [
      model.model,
      {
        model: model.model,
        title: model.title,
        protocol: model.protocol === 'open-inference' ? 'open-inference' : 'openai',
        versions: new Map(
          (versionsOf.get(model.model) ?? []).map((row): [string, ServedVersion] => {
            const served = (deploymentsOf.get(`${row.model}@${row.version}`) ?? []).map((deployment): Deployment => ({
              model: row.model,
              version: row.version,
              deployment: deployment.deployment,
              url: deployment.url.replace(/\/+$/, ''),
              upstreamModel: deployment.upstream_model,
              region: deployment.region,
              weight: deployment.weight,
              credentialEnv: deployment.credential_env ?? undefined,
            }))
            const release = released.get(`${row.model}@${row.version}`)
            assert(release !== undefined, 'a version has its record')
            return [
              row.version,
              {
                version: row.version,
                stage: release.standing.stage,
                contextTokens: Number(row.context_tokens),
                outputTokens: Number(row.output_tokens),
                recalledAt: release.standing.recalled?.at,
                regions: new Set(served.map((deployment) => deployment.region)),
                deployments: served,
                digest: release.digest,
                card: release.card,
              },
            ]
          }),
        ),
      },
    ]),
  )
}
