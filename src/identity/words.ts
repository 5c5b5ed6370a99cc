import { z } from 'zod'

/** Who is at the other end of the application. */
export const audiences = ['expert', 'clinician', 'patient', 'consumer'] as const
export const Audience = z.enum(audiences)
export type Audience = z.infer<typeof Audience>

/**
 * Purposes of use, HL7 v3 ActReason (PurposeOfUse value set), the ones that make sense for a model call:
 * treatment, emergency treatment, healthcare operations, quality improvement, healthcare research, patient request,
 * payment, training, system testing.
 */
export const purposes = [
  'TREAT',
  'ETREAT',
  'HOPERAT',
  'HQUALIMP',
  'HRESCH',
  'PATRQT',
  'HPAYMT',
  'TRAIN',
  'HTEST',
] as const
export const Purpose = z.enum(purposes)
export type Purpose = z.infer<typeof Purpose>

/** Purposes in which somebody is treated by what the model says. An evaluation is never for one of them. */
export const clinicalPurposes: ReadonlySet<Purpose> = new Set<Purpose>(['TREAT', 'ETREAT'])

export const tenantKinds = ['owner', 'health-system', 'hospital', 'research', 'application'] as const
export const TenantKind = z.enum(tenantKinds)
export type TenantKind = z.infer<typeof TenantKind>
