/**
 * The source attributes of 45 CFR 170.315(b)(11)(iv), as ONC's HTI-1 final rule (89 FR 1192, 2024) names them. (A) is for
 * evidence-based interventions, (B) for predictive ones: 13 and 31. A key here is a key of `sourceAttributes` in a card.
 */
export interface SourceAttribute {
  /** Below 170.315(b)(11)(iv). */
  readonly paragraph: string
  readonly means: string
}

const evidenceBased = {
  bibliographicCitation: ['(A)(1)', 'Bibliographic citation of the intervention'],
  translator: ['(A)(2)', 'Developer of the intervention (translation from clinical research or guideline)'],
  evidenceFunding: ['(A)(3)', 'Funding source of the technical implementation'],
  releaseDates: ['(A)(4)', 'Release and revision dates of the intervention or reference source'],
  useOfRace: ['(A)(5)', 'Use of race'],
  useOfEthnicity: ['(A)(6)', 'Use of ethnicity'],
  useOfLanguage: ['(A)(7)', 'Use of language'],
  useOfSexualOrientation: ['(A)(8)', 'Use of sexual orientation'],
  useOfGenderIdentity: ['(A)(9)', 'Use of gender identity'],
  useOfSex: ['(A)(10)', 'Use of sex'],
  useOfDateOfBirth: ['(A)(11)', 'Use of date of birth'],
  useOfSocialDeterminants: ['(A)(12)', 'Use of social determinants of health data'],
  useOfHealthStatusAssessments: ['(A)(13)', 'Use of health status assessments data'],
} as const

const predictive = {
  developer: ['(B)(1)(i)', 'Name and contact information of the developer'],
  funding: ['(B)(1)(ii)', 'Funding source of the technical implementation'],
  outputValue: ['(B)(1)(iii)', 'Description of the value that is produced as an output'],
  outputType: [
    '(B)(1)(iv)',
    'Whether the output is a prediction, classification, recommendation, evaluation or analysis',
  ],
  intendedUse: ['(B)(2)(i)', 'Intended use'],
  intendedPopulation: ['(B)(2)(ii)', 'Intended patient population'],
  intendedUsers: ['(B)(2)(iii)', 'Intended users'],
  decisionRole: ['(B)(2)(iv)', 'Intended decision-making role (informs, augments, replaces clinical management)'],
  cautionedUse: ['(B)(3)(i)', 'Tasks, situations or populations where a user is cautioned against applying it'],
  knownRisks: ['(B)(3)(ii)', 'Known risks, inappropriate settings, inappropriate uses, known limitations'],
  trainingCriteria: ['(B)(4)(i)', 'Exclusion and inclusion criteria that influenced the training data'],
  inputVariables: ['(B)(4)(ii)', 'Use of the variables of (A)(5) to (13) as input features'],
  trainingRepresentativeness: ['(B)(4)(iii)', 'Demographic representativeness of the training data'],
  trainingRelevance: ['(B)(4)(iv)', 'Relevance of the training data to the intended deployed setting'],
  fairnessApproach: ['(B)(5)(i)', 'Approach taken to ensure that the output is fair'],
  biasManagement: ['(B)(5)(ii)', 'Approaches to manage, reduce or eliminate bias'],
  externalData: ['(B)(6)(i)', 'Data source, clinical setting or environment of external validation'],
  externalTester: ['(B)(6)(ii)', 'Party that conducted the external testing'],
  externalRepresentativeness: ['(B)(6)(iii)', 'Demographic representativeness of the external data'],
  externalProcess: ['(B)(6)(iv)', 'Description of the external validation process'],
  validityInternal: ['(B)(7)(i)', 'Validity in test data from the source of the training data'],
  fairnessInternal: ['(B)(7)(ii)', 'Fairness in test data from the source of the training data'],
  validityExternal: ['(B)(7)(iii)', 'Validity in data from another source'],
  fairnessExternal: ['(B)(7)(iv)', 'Fairness in data from another source'],
  outcomeEvaluations: ['(B)(7)(v)', 'References to evaluations of its use on outcomes'],
  validityMonitoring: ['(B)(8)(i)', 'Process and frequency by which validity is monitored over time'],
  validityLocal: ['(B)(8)(ii)', 'Validity in local data'],
  fairnessMonitoring: ['(B)(8)(iii)', 'Process and frequency by which fairness is monitored over time'],
  fairnessLocal: ['(B)(8)(iv)', 'Fairness in local data'],
  updateProcess: ['(B)(9)(i)', 'Process and frequency by which it is updated'],
  correctionFrequency: ['(B)(9)(ii)', 'Frequency by which performance is corrected when risks are identified'],
} as const

/** One decides which attributes a version must answer. */
export const decisionSupports = ['predictive', 'evidence-based'] as const
export type DecisionSupport = (typeof decisionSupports)[number]

const listOf = (
  attributes: Readonly<Record<string, readonly [string, string]>>,
): ReadonlyMap<string, SourceAttribute> =>
  new Map(Object.entries(attributes).map(([key, [paragraph, means]]) => [key, { paragraph, means }]))

export const sourceAttributes: Readonly<Record<DecisionSupport, ReadonlyMap<string, SourceAttribute>>> = {
  predictive: listOf(predictive),
  'evidence-based': listOf(evidenceBased),
}

export const attributeKeys = [...Object.keys(predictive), ...Object.keys(evidenceBased)]
