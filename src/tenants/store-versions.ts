import { sql } from 'kysely'
import { assert, canonicalJson, type Instant } from '../kernel/index.ts'
import type { Tx } from '../db/index.ts'
import type { Actor } from '../identity/index.ts'
import { stages, type Stage } from '../policy/index.ts'
import {
  appendCard,
  demoteVersion,
  isSameSignOff,
  loadVersions,
  promoteVersion,
  recallVersion,
  signOffVersion,
  type VersionWish,
} from '../release/index.ts'
import type { Change } from './change.ts'
import { is, written } from './changed-rows.ts'
import { versionDocument } from './document.ts'
import type { VersionRow } from './rows.ts'
import { digestOf } from './store-digest.ts'

interface By {
  readonly actor: Actor
  readonly now: Instant
  /** The catalog was empty: its versions begin where their files say. */
  readonly isImport: boolean
}

/**
 * Writes versions and their cards, and moves them by the same use cases as the command line: what a person may not do
 * there, a file may not do here.
 */
export async function applyVersions(tx: Tx, changes: readonly Change[], by: By): Promise<void> {
  const versions = changes.filter(is('version'))
  await insertVersions(tx, versions, by)
  for (const { act, row, fields } of versions) {
    if (act === 'end') continue
    if (row.card !== undefined && fields.some(({ field }) => field.startsWith('card.')))
      await appendCard(tx, { ...row, card: row.card, document: canonicalJson(row.card), by: by.actor.name })
    await moveTo(tx, row, by)
    if (row.recalled !== undefined) {
      const recalled = await recallVersion(tx, { ...row, reason: row.recalled, actor: by.actor, now: by.now })
      assert(recalled.ok, 'a version that was written can be recalled')
    }
  }
}

async function insertVersions(
  tx: Tx,
  versions: readonly Extract<Change, { what: 'version' }>[],
  by: By,
): Promise<void> {
  const protocols = new Map(
    (await tx.selectFrom('model').select(['model', 'protocol']).execute()).map((row) => [row.model, row.protocol]),
  )
  for (const rows of written(versions))
    await tx
      .insertInto('model_version')
      .values(
        rows.map((row) => ({
          model: row.model,
          version: row.version,
          first_stage: by.isImport ? row.stage : 'sealed',
          context_tokens: BigInt(row.contextTokens),
          output_tokens: BigInt(row.outputTokens),
          upstream: [...row.upstream],
          digest_sha256: digestOf(versionDocument(row, protocols.get(row.model) ?? '')),
        })),
      )
      .onConflict((conflict) =>
        conflict.columns(['model', 'version']).doUpdateSet({
          // One that was served nowhere becomes what it is with its first deployment.
          digest_sha256: sql`case when model_version.upstream = '{}' then excluded.digest_sha256 else model_version.digest_sha256 end`,
          upstream: sql`case when model_version.upstream = '{}' then excluded.upstream else model_version.upstream end`,
          withdrawn_at: null,
        }),
      )
      .execute()
}

/** The plan was checked by the same rule under the same lock: a no here is a bug. */
async function moveTo(tx: Tx, row: VersionRow, by: By): Promise<void> {
  const standing = (await loadVersions(tx)).get(`${row.model}@${row.version}`)?.standing
  assert(standing !== undefined, 'a version that was written has a standing')
  const wish = { model: row.model, version: row.version, reason: 'declared', actor: by.actor, now: by.now }
  const [from, to] = [stages.indexOf(standing.stage), stages.indexOf(row.stage)]
  if (to < from) {
    const demoted = await demoteVersion(tx, { ...wish, to: row.stage })
    assert(demoted.ok, 'a version that may be declared back goes back')
  }
  for (const step of stages.slice(from + 1, to + 1)) await stepTo(tx, row, { ...wish, to: step })
}

async function stepTo(tx: Tx, row: VersionRow, wish: VersionWish & { to: Stage }): Promise<void> {
  const standing = (await loadVersions(tx)).get(`${row.model}@${row.version}`)?.standing
  const known = [...(standing?.signOffs ?? []), ...(standing?.spent ?? [])]
  for (const signOff of row.signOffs.filter(({ to, at }) => to === wish.to && at <= wish.now))
    if (!known.some((other) => isSameSignOff(other, signOff))) {
      const signed = await signOffVersion(tx, { ...wish, signOff })
      assert(signed.ok, 'a declared sign-off that is new counts')
    }
  const promoted = await promoteVersion(tx, wish)
  assert(promoted.ok, `a step that may be declared is taken: ${promoted.ok ? '' : (promoted.error[0]?.reason ?? '')}`)
}
