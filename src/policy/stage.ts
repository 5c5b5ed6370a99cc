import { z } from 'zod'
import type { Audience, TenantKind } from '../identity/index.ts'

/** How far a version has come. Promotion goes one step to the right; a recall may come at any of them. */
export const stages = ['sealed', 'expert', 'owner', 'licensed', 'patient', 'consumer'] as const
export const Stage = z.enum(stages)
export type Stage = z.infer<typeof Stage>

/** The earliest stage at which an application of this audience, of a tenant of this kind, may reach a version. */
function earliestStage(audience: Audience, tenantKind: TenantKind): Stage {
  switch (audience) {
    case 'expert':
      // Experts who may test what nobody else sees are the owner's own.
      return tenantKind === 'owner' ? 'expert' : 'licensed'
    case 'clinician':
      return tenantKind === 'owner' ? 'owner' : 'licensed'
    case 'patient':
      return 'patient'
    case 'consumer':
      return 'consumer'
  }
}

export const stageReaches = (stage: Stage, audience: Audience, tenantKind: TenantKind): boolean =>
  stages.indexOf(stage) >= stages.indexOf(earliestStage(audience, tenantKind))
