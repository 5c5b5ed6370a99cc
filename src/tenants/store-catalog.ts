import type { Tx } from '../db/index.ts'
import { ended, is, written } from './changed-rows.ts'
import type { Change } from './change.ts'

/** Writes models, versions and deployments, and withdraws those that left the tree. */
export async function applyCatalog(tx: Tx, changes: readonly Change[], at: Date): Promise<void> {
  for (const rows of written(changes.filter(is('model'))))
    await tx
      .insertInto('model')
      .values(rows.map(({ model, title, protocol }) => ({ model, title, protocol })))
      .onConflict((conflict) =>
        conflict.column('model').doUpdateSet((eb) => ({ title: eb.ref('excluded.title'), withdrawn_at: null })),
      )
      .execute()
  for (const rows of written(changes.filter(is('version'))))
    await tx
      .insertInto('model_version')
      .values(
        rows.map((row) => ({
          model: row.model,
          version: row.version,
          stage: row.stage,
          context_tokens: BigInt(row.contextTokens),
          output_tokens: BigInt(row.outputTokens),
          recalled_at: row.recalled === undefined ? null : at,
          recall_reason: row.recalled ?? null,
        })),
      )
      .onConflict((conflict) =>
        conflict.columns(['model', 'version']).doUpdateSet((eb) => ({
          stage: eb.ref('excluded.stage'),
          // The instant of the first recall stays, whatever is later written about it.
          recalled_at: eb.fn.coalesce('model_version.recalled_at', 'excluded.recalled_at'),
          recall_reason: eb.ref('excluded.recall_reason'),
          withdrawn_at: null,
        })),
      )
      .execute()
  for (const rows of written(changes.filter(is('deployment'))))
    await tx
      .insertInto('deployment')
      .values(
        rows.map((row) => ({
          model: row.model,
          version: row.version,
          deployment: row.deployment,
          url: row.url,
          upstream_model: row.upstreamModel,
          region: row.region,
          weight: row.weight,
          credential_env: row.credentialEnv ?? null,
        })),
      )
      .onConflict((conflict) =>
        conflict.columns(['model', 'version', 'deployment']).doUpdateSet((eb) => ({
          url: eb.ref('excluded.url'),
          upstream_model: eb.ref('excluded.upstream_model'),
          region: eb.ref('excluded.region'),
          weight: eb.ref('excluded.weight'),
          credential_env: eb.ref('excluded.credential_env'),
          withdrawn_at: null,
        })),
      )
      .execute()
  await withdraw(tx, changes, at)
}

async function withdraw(tx: Tx, changes: readonly Change[], at: Date): Promise<void> {
  for (const { model } of ended(changes.filter(is('model'))))
    await tx.updateTable('model').set({ withdrawn_at: at }).where('model', '=', model).execute()
  for (const { model, version } of ended(changes.filter(is('version'))))
    await tx
      .updateTable('model_version')
      .set({ withdrawn_at: at })
      .where('model', '=', model)
      .where('version', '=', version)
      .execute()
  for (const { model, version, deployment } of ended(changes.filter(is('deployment'))))
    await tx
      .updateTable('deployment')
      .set({ withdrawn_at: at })
      .where('model', '=', model)
      .where('version', '=', version)
      .where('deployment', '=', deployment)
      .execute()
}
