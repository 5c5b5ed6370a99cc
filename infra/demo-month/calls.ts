import { plusDays, plusMs, type Instant } from '../../src/kernel/index.ts'
import type { Period } from '../../src/billing/index.ts'

/** One call of a month, as an application makes it. */
export interface PlannedCall {
  readonly at: Instant
  /** `tenant/application`, as the declarations name it. */
  readonly application: string
  readonly facility: string
  readonly path: string
  readonly body: object
}

const chat = (content: string, outputTokens: number) => ({
  path: '/v1/chat/completions',
  body: { model: 'clinical-assistant', max_tokens: outputTokens, messages: [{ role: 'user', content }] },
})
/** A tenth of a second of a 12-lead ECG, as far as the stand-in looks at it. */
const readEcg = (index: number) => ({
  path: '/v2/models/ecg-low-ef/infer',
  body: {
    inputs: [
      {
        name: 'ecg',
        shape: [1, 12, 4],
        datatype: 'FP32',
        data: Array.from({ length: 48 }, (_, sample) => ((sample * 7 + index) % 11) / 10),
      },
    ],
  },
})

const questions = [
  'Summarize the overnight notes for rounds: two admissions, one discharge, one transfer to the unit.',
  'List interactions of warfarin with the antibiotics on this order set, most serious first.',
  'Draft discharge instructions in plain language after an uncomplicated appendectomy.',
  'Which findings in this report need a call back today, and to whom?',
]

/** Who calls in the demonstration: one of each kind that its plans price. */
const callers = [
  { application: 'lakeside-health/ehr', facilities: ['lakeside-general', 'lakeside-north'], hour: 8, make: ask },
  {
    application: 'lakeside-health/predictors',
    facilities: ['lakeside-general'],
    hour: 10,
    make: readEcg,
  },
  { application: 'lakeside-health/portal', facilities: ['lakeside-general'], hour: 19, make: ask },
  { application: 'everyday-assistant/assistant', facilities: ['everyday-us'], hour: 21, make: ask },
] as const

/** So long a chart comes with a question: some thousands of tokens, as they do. */
const chart =
  'Day of stay, vital signs, laboratory values, medication given and withheld, and the notes of each shift. '
const chartLines = 120

function ask(index: number) {
  const question = questions[index % questions.length] ?? ''
  return chat(`${chart.repeat(chartLines)}\n${question}`, 600 + (index % 5) * 200)
}

/** A call of each caller and facility at a quiet minute of every day: the same month whenever it is made. */
export function callsOf({ start, end }: Period): readonly PlannedCall[] {
  const calls: PlannedCall[] = []
  for (let day = 0; plusDays(start, day) < end; day++)
    for (const { application, facilities, hour, make } of callers)
      for (const [index, facility] of facilities.entries())
        calls.push({
          at: plusMs(plusDays(start, day), (hour * 60 + index * 7 + (day % 30)) * 60_000),
          application,
          facility,
          ...make(day + index),
        })
  return calls.toSorted((a, b) => a.at - b.at)
}
