import type { Permit } from '../policy/index.ts'
import type { Catalog, Deployment } from './catalog.ts'
import type { Circuits } from './circuit.ts'

export interface ChooseNeeds {
  readonly circuits: Circuits
  catalog(): Catalog
  /** From 0 up to, not including, 1. */
  fraction(): number
  monotonicMs(): number
}

/**
 * The deployments that may serve a permit, in the order in which to try them: within the license's residency only,
 * healthy ones first, drawn by weight. A weight of zero means only when nothing else is left.
 */
export function choose(needs: ChooseNeeds, permit: Permit): readonly Deployment[] {
  const served = needs.catalog().get(permit.model.model)?.versions.get(permit.version.version)?.deployments ?? []
  const allowed = served.filter((deployment) => permit.residency.includes(deployment.region))
  if (allowed.length < 2) return allowed
  const now = needs.monotonicMs()
  // Efraimidis and Spirakis: a key of u^(1/w) orders by weight without a second pass.
  const drawn = allowed.map((deployment) => ({
    deployment,
    open: needs.circuits.isOpen(deployment, now),
    key: deployment.weight === 0 ? 0 : needs.fraction() ** (1 / deployment.weight),
  }))
  drawn.sort((a, b) => Number(a.open) - Number(b.open) || b.key - a.key)
  return drawn.map(({ deployment }) => deployment)
}
