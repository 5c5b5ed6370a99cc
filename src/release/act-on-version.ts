import { err, ok, type Instant, type Result } from '../kernel/index.ts'
import { appendAuditEntry, type AuditFacts } from '../audit/index.ts'
import type { Tx } from '../db/index.ts'
import { agentOf, areApart, findMakers, type Actor } from '../identity/index.ts'
import { stages, type Stage } from '../policy/index.ts'
import { objectionsToPromotion, type PromotionObjection } from './promotion.ts'
import { isSameSignOff, type SignOff, type Standing, type VersionAct } from './standing.ts'
import { appendVersionAct, loadNotices, loadPins, loadVersions, lockCatalog, type VersionRecord } from './store.ts'

export type VersionRefusal =
  | PromotionObjection
  | { reason: 'version_not_found'; model: string; version: string }
  | { reason: 'version_recalled_for_good'; model: string; version: string }
  | { reason: 'demotion_goes_back'; stage: Stage }
  | { reason: 'sign_off_is_for_the_next_step'; stage: Stage; next: Stage | undefined }
  | { reason: 'signed_already'; by: string }

export interface VersionWish {
  readonly model: string
  readonly version: string
  readonly reason: string
  readonly actor: Actor
  readonly now: Instant
}

/** One step up, when the card is complete, both roles have signed off this step, and notice was given and has run out. */
export async function promoteVersion(
  tx: Tx,
  wish: VersionWish & { to: Stage },
): Promise<Result<Standing, readonly VersionRefusal[]>> {
  return onVersion(tx, wish, async (found) => {
    const { stage, signOffs } = found.standing
    const objections = objectionsToPromotion(
      {
        model: wish.model,
        version: wish.version,
        stage,
        card: found.card?.card,
        signOffs,
        pins: await loadPins(tx, wish.now),
        notices: await loadNotices(tx),
      },
      wish.to,
      wish.now,
    )
    if (objections.length > 0) return err(objections)
    await append(tx, wish, { act: 'promote', from: stage, to: wish.to })
    return ok(undefined)
  })
}

/** Back any number of steps, at once: taking away needs nobody's consent. */
export async function demoteVersion(
  tx: Tx,
  wish: VersionWish & { to: Stage },
): Promise<Result<Standing, readonly VersionRefusal[]>> {
  return onVersion(tx, wish, async ({ standing: { stage } }) => {
    if (stages.indexOf(wish.to) >= stages.indexOf(stage)) return err([{ reason: 'demotion_goes_back', stage }])
    await append(tx, wish, { act: 'demote', from: stage, to: wish.to })
    return ok(undefined)
  })
}

/** For good, in one act: new calls are refused and open streams are cut. Done again it only says more. */
export async function recallVersion(tx: Tx, wish: VersionWish): Promise<Result<Standing, readonly VersionRefusal[]>> {
  await lockCatalog(tx)
  const found = await findVersion(tx, wish)
  if (found === undefined) return err([notFound(wish)])
  if (found.standing.recalled?.reason !== wish.reason)
    await record(tx, wish, {
      act: 'recall',
      reason: wish.reason,
      by: wish.actor.name,
      at: wish.now,
    })
  return reread(tx, wish)
}

/** A person signs, in a role, that a version may take its next step. */
export async function signOffVersion(
  tx: Tx,
  wish: VersionWish & { signOff: SignOff },
): Promise<Result<Standing, readonly VersionRefusal[]>> {
  return onVersion(tx, wish, async ({ standing }) => {
    const { signOff } = wish
    const next = stages[stages.indexOf(standing.stage) + 1]
    if (signOff.to !== next) return err([{ reason: 'sign_off_is_for_the_next_step', stage: standing.stage, next }])
    if ([...standing.signOffs, ...standing.spent].some((known) => isSameSignOff(known, signOff)))
      return err([{ reason: 'signed_already', by: signOff.by }])
    for (const other of standing.signOffs)
      // One name in both roles is told when it is to be promoted; two names of one person have to be seen here.
      if (
        other.role !== signOff.role &&
        other.by.toLowerCase() !== signOff.by.toLowerCase() &&
        !areApart({ name: other.by, makers: await findMakers(tx, other.by) }, wish.actor)
      )
        return err([{ reason: 'sign_offs_of_one_person', by: other.by }])
    await record(tx, wish, { act: 'sign_off', reason: wish.reason, ...signOff })
    return ok(undefined)
  })
}

async function onVersion(
  tx: Tx,
  wish: VersionWish,
  work: (found: VersionRecord) => Promise<Result<undefined, readonly VersionRefusal[]>>,
): Promise<Result<Standing, readonly VersionRefusal[]>> {
  await lockCatalog(tx)
  const found = await findVersion(tx, wish)
  if (found === undefined) return err([notFound(wish)])
  const { model, version } = wish
  if (found.standing.recalled !== undefined) return err([{ reason: 'version_recalled_for_good', model, version }])
  const worked = await work(found)
  return worked.ok ? reread(tx, wish) : worked
}

async function reread(tx: Tx, wish: VersionWish): Promise<Result<Standing, readonly VersionRefusal[]>> {
  const found = await findVersion(tx, wish)
  return found === undefined ? err([notFound(wish)]) : ok(found.standing)
}

const findVersion = async (tx: Tx, { model, version }: VersionWish): Promise<VersionRecord | undefined> =>
  (await loadVersions(tx)).get(`${model}@${version}`)

const notFound = ({ model, version }: VersionWish): VersionRefusal => ({ reason: 'version_not_found', model, version })

const append = (
  tx: Tx,
  wish: VersionWish,
  move: { act: 'promote' | 'demote'; from: Stage; to: Stage },
): Promise<void> => record(tx, wish, { ...move, reason: wish.reason, by: wish.actor.name, at: wish.now })

/** The fact, and who made it so, in one transaction. */
async function record(tx: Tx, wish: VersionWish, act: VersionAct): Promise<void> {
  await appendVersionAct(tx, wish.model, wish.version, act)
  await appendAuditEntry(tx, {
    tenantId: undefined,
    at: wish.now,
    action: `version.${act.act}`,
    agent: agentOf(wish.actor),
    entity: { type: 'version', id: `${wish.model}@${wish.version}` },
    outcome: 'done',
    reason: wish.reason,
    facts: factsOf(act),
  })
}

function factsOf(act: VersionAct): AuditFacts {
  switch (act.act) {
    case 'promote':
    case 'demote':
      return { from: act.from, to: act.to }
    case 'recall':
      return {}
    case 'sign_off':
      return { to: act.to, role: act.role, by: act.by }
  }
}
