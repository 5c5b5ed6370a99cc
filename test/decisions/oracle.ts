/**
 * The decision once more, from the words of the design and of nothing else: this file imports no code of the product. A
 * cell is one combination; the oracle says every reason against it. No reason: permitted.
 */
export const licenseSituations = [
  'draft',
  'not started',
  'active',
  'expiring',
  'in grace',
  'past a term without grace',
  'past its grace',
  'suspended',
  'suspended until yesterday',
  'suspended and resumed',
  'revoked',
  'terminated',
  'transferred',
  'with an attestation overdue',
] as const
export const releaseStages = ['sealed', 'expert', 'owner', 'licensed', 'patient', 'consumer'] as const
export const callers = ['expert', 'clinician', 'patient', 'consumer'] as const
export const kinds = ['owner', 'hospital'] as const
export const purposesAsked = ['none', 'TREAT', 'HOPERAT', 'PATRQT', 'HPAYMT'] as const
export const facilitiesAsked = ['none', 'covered', 'of the tenant, not entitled', 'of nobody'] as const
export const versionsAsked = ['the pin', 'named', 'out of range', 'recalled', 'after its sunset', 'unknown'] as const
export const booleans = [true, false] as const

export interface Cell {
  readonly situation: (typeof licenseSituations)[number]
  readonly stage: (typeof releaseStages)[number]
  readonly audience: (typeof callers)[number]
  readonly kind: (typeof kinds)[number]
  readonly purpose: (typeof purposesAsked)[number]
  readonly facility: (typeof facilitiesAsked)[number]
  readonly version: (typeof versionsAsked)[number]
  /** The license allows the region in which the version is served. */
  readonly residency: boolean
  /** The credential has the scope of the operation. */
  readonly scope: boolean
  readonly evaluation: boolean
}

/**
 * The license of every cell entitles `clinician` and `patient`, for TREAT, HOPERAT and PATRQT, at one of the two
 * facilities of the tenant. Its applications have TREAT, HOPERAT and HPAYMT as purposes, and both facilities.
 */
export function reasonsAgainst(cell: Cell): ReadonlySet<string> {
  const reasons = new Set<string>()
  const licenseReason = bySituation[cell.situation]
  if (licenseReason !== undefined) reasons.add(licenseReason)

  // A version that does not exist cannot be judged further.
  if (cell.version === 'unknown') return reasons.add('model_not_found')
  if (cell.version === 'out of range' || cell.version === 'after its sunset') reasons.add('version_not_licensed')
  if (cell.version === 'recalled') reasons.add('version_recalled')
  if (cell.audience === 'expert' || cell.audience === 'consumer') reasons.add('audience_not_licensed')
  if (!isReleasedFor(cell)) reasons.add('version_not_licensed')
  if (!isPurposeOpen(cell)) reasons.add('purpose_not_licensed')
  if (cell.facility === 'of the tenant, not entitled' || cell.facility === 'of nobody')
    reasons.add('facility_not_covered')
  if (!cell.scope) reasons.add('scope_not_granted')
  if (!cell.residency) reasons.add('residency_excludes_all')
  return reasons
}

const bySituation: Readonly<Record<Cell['situation'], string | undefined>> = {
  draft: 'license_draft',
  'not started': 'license_not_started',
  active: undefined,
  expiring: undefined,
  'in grace': undefined,
  'past a term without grace': 'license_expired',
  'past its grace': 'license_expired',
  suspended: 'license_suspended',
  'suspended until yesterday': undefined,
  'suspended and resumed': undefined,
  revoked: 'license_revoked',
  terminated: 'license_ended',
  transferred: 'license_ended',
  'with an attestation overdue': 'attestation_overdue',
}

/** sealed: nobody. expert: the owner's experts. owner: its clinicians too. licensed, patient, consumer: as they say. */
function isReleasedFor({ stage, audience, kind }: Cell): boolean {
  switch (stage) {
    case 'sealed':
      return false
    case 'expert':
      return kind === 'owner' && audience === 'expert'
    case 'owner':
      return kind === 'owner' && (audience === 'expert' || audience === 'clinician')
    case 'licensed':
      return audience === 'expert' || audience === 'clinician'
    case 'patient':
      return audience !== 'consumer'
    case 'consumer':
      return true
  }
}

/** Without a purpose the first that application and license have in common; TREAT is never open to an evaluation. */
function isPurposeOpen({ purpose, evaluation }: Cell): boolean {
  switch (purpose) {
    case 'none':
    case 'HOPERAT':
      return true
    case 'TREAT':
      return !evaluation
    // The license has it, the application has not; and the other way round.
    case 'PATRQT':
    case 'HPAYMT':
      return false
  }
}

export function* cells(): Generator<Cell> {
  for (const situation of licenseSituations)
    for (const stage of releaseStages)
      for (const audience of callers)
        for (const kind of kinds)
          for (const purpose of purposesAsked)
            for (const facility of facilitiesAsked)
              for (const version of versionsAsked)
                for (const residency of booleans)
                  for (const scope of booleans)
                    for (const evaluation of booleans)
                      yield {
                        situation,
                        stage,
                        audience,
                        kind,
                        purpose,
                        facility,
                        version,
                        residency,
                        scope,
                        evaluation,
                      }
}
