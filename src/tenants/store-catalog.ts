import type { Instant } from '../kernel/index.ts'
import type { Tx } from '../db/index.ts'
import type { Actor } from '../identity/index.ts'
import { ended, is, written } from './changed-rows.ts'
import type { Change } from './change.ts'
import { applyVersions } from './store-versions.ts'

/** Writes models, versions and deployments, and withdraws those that left the tree. */
export async function applyCatalog(
  tx: Tx,
  changes: readonly Change[],
  by: { readonly actor: Actor; readonly now: Instant },
): Promise<void> {
  const isImport = (await tx.selectFrom('model').select('model').limit(1).executeTakeFirst()) === undefined
  for (const rows of written(changes.filter(is('model'))))
    await tx
      .insertInto('model')
      .values(
        rows.map(({ model, title, protocol, noticeDays }) => ({ model, title, protocol, notice_days: noticeDays })),
      )
      .onConflict((conflict) =>
        conflict.column('model').doUpdateSet((eb) => ({
          title: eb.ref('excluded.title'),
          notice_days: eb.ref('excluded.notice_days'),
          withdrawn_at: null,
        })),
      )
      .execute()
  await applyVersions(tx, changes, { ...by, isImport })
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
  await withdraw(tx, changes, new Date(by.now))
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
