import { stageReaches } from '../policy/index.ts'
import type { Declarations } from './declarations.ts'
import type { Current } from './change.ts'
import { noteRefusedUses } from './note-refused-uses.ts'
import { quoted } from './problem.ts'

/** What is allowed and probably not meant. Nothing is changed for it. */
export function noteOddities(current: Current, declared: Declarations): readonly string[] {
  return [
    ...recallsThatStay(current, declared),
    ...unreachablePins(current, declared),
    ...emptyRegions(declared),
    ...noteRefusedUses(declared),
  ]
}

/** A recall was a decision about safety, perhaps made elsewhere: a file that does not know of it does not undo it. */
function recallsThatStay(current: Current, declared: Declarations): readonly string[] {
  return declared.models.flatMap(({ value: { model, versions } }) =>
    versions.flatMap(({ version, recalled }) => {
      const before = current.version.find(({ row }) => row.model === model && row.version === version)?.row
      return recalled === undefined && before?.recalled !== undefined
        ? [
            `${model} ${version} stays recalled (${quoted(before.recalled)}) though its file does not say so; a recall is for good`,
          ]
        : []
    }),
  )
}

/** A stage may go back at any time, so a pin that it leaves behind is no error; whoever applies should see it. */
function unreachablePins(current: Current, declared: Declarations): readonly string[] {
  return declared.tenants.flatMap(({ tenant, license }) =>
    license.value.entitlements.flatMap((right) => {
      const model = declared.models.find(({ value }) => value.model === right.model)?.value
      const pinned = model?.versions.find(({ version }) => version === right.pin)
      if (pinned === undefined) return []
      const before = current.version.find(({ row }) => row.model === right.model && row.version === right.pin)?.row
      const named = `${license.value.license} pins ${right.model} ${right.pin}`
      if ((pinned.recalled ?? before?.recalled) !== undefined) return [`${named}, which is recalled: calls are refused`]
      return right.audiences
        .filter((audience) => !stageReaches(pinned.stage, audience, tenant.value.kind))
        .map(
          (audience) =>
            `${named} at stage ${pinned.stage}, which ${audience} of ${tenant.value.tenant} cannot reach yet`,
        )
    }),
  )
}

/** It may be a region that is yet to come, or a slip that keeps a license out of where it should be served. */
function emptyRegions({ models, tenants }: Declarations): readonly string[] {
  const served = new Set(
    models.flatMap(({ value }) => value.versions.flatMap(({ deployments }) => deployments.map(({ region }) => region))),
  )
  return tenants.flatMap(({ license: { value } }) =>
    value.residency
      .filter((region) => !served.has(region))
      .map((region) => `${value.license} allows the region ${quoted(region)}, where nothing is deployed`),
  )
}
