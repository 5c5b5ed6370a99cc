/**
 * What the stand-in says. Short and careful, and plainly not a model: the words are chosen by what the last user
 * message is about, so the same question always has the same answer.
 */
export function answerTo(question: string): string {
  const repeated = /^repeat:\s*/iu.exec(question)
  if (repeated !== null) return question.slice(repeated[0].length)
  const topic = topics.find((candidate) => candidate.about.test(question))
  const said = topic?.says ?? general[sumOf(question) % general.length] ?? ''
  return `${said} ${disclaimer}`
}

/** An answer cut into the pieces a stream delivers. A piece is a token: a word, or 12 characters of a longer one. */
export type Pieces = {
  readonly text: string
  readonly pieces: readonly string[]
  /** Each piece as the JSON of its `delta`, made once. */
  readonly deltas: readonly string[]
  /** The whole text as the JSON of a `message`. */
  readonly message: string
}

export function piecesOf(text: string): Pieces {
  const known = cache.get(text)
  if (known !== undefined) return known
  // The `u` flag keeps a surrogate pair in one piece; a lone half would not survive UTF-8.
  const pieces = text.match(/\s*\S{1,12}|\s+$/gu) ?? []
  const deltas = pieces.map((piece) => `{"content":${JSON.stringify(piece)}}`)
  const made = { text, pieces, deltas, message: textMessage(text) }
  if (cache.size >= cachedTextsMax) cache.clear()
  cache.set(text, made)
  return made
}

/** The `message` of an answer in words, as JSON. */
export function textMessage(text: string): string {
  return `{"role":"assistant","content":${JSON.stringify(text)},"refusal":null}`
}

const cachedTextsMax = 256
const cache = new Map<string, Pieces>()

/** A small sum that depends on every character. FNV-1a, 32 bits. */
export function sumOf(text: string): number {
  let sum = 0x811c9dc5
  for (let index = 0; index < text.length; index++) {
    sum = Math.imul(sum ^ text.charCodeAt(index), 0x01000193) >>> 0
  }
  return sum
}

const disclaimer =
  'I am a stand-in model used for development: these words are canned, and no one should be treated by them.'

const topics: readonly { about: RegExp; says: string }[] = [
  {
    about: /chest pain|heart attack|myocardial|troponin|acute coronary|\bacs\b|stroke|\bfast\b signs/iu,
    says: 'Chest pain with dyspnea, diaphoresis or radiation to the arm or jaw is an emergency until shown otherwise: call the local emergency number, record a 12-lead ECG within 10 minutes, and draw a high-sensitivity troponin now and again after 1 to 3 hours. A normal first ECG does not exclude an acute coronary syndrome.',
  },
  {
    about: /ejection fraction|low.?ef|heart failure|hfref|hfpef|bnp|cardiomyopath/iu,
    says: 'A screening ECG that suggests a low ejection fraction (≤ 40 %) should be confirmed by echocardiography before anything is changed. If it is confirmed, the usual four pillars are an ARNI or ACE inhibitor, a β-blocker, a mineralocorticoid antagonist and an SGLT2 inhibitor, started low and raised as blood pressure, potassium and eGFR allow.',
  },
  {
    about: /atrial fibrillation|afib|anticoag|warfarin|apixaban|rivaroxaban|\binr\b|cha.?ds/iu,
    says: 'For atrial fibrillation, weigh stroke risk (CHA₂DS₂-VASc) against bleeding risk before choosing an anticoagulant. A direct oral anticoagulant is usually preferred over warfarin, except with a mechanical valve or moderate to severe mitral stenosis; check renal function, weight, age and interacting drugs for the dose.',
  },
  {
    about: /pancrea|\bct\b|lesion|whipple|ca.?19/iu,
    says: 'A hypodense pancreatic lesion with upstream duct dilatation (≥ 5 mm) needs a dedicated pancreatic-protocol CT or MRI with MRCP, CA 19-9 with the bilirubin known, and a multidisciplinary discussion before biopsy. New-onset diabetes with weight loss after the age of 50 raises the suspicion.',
  },
  {
    about: /diabet|metformin|hba1c|insulin|glucose|hypoglyc/iu,
    says: 'In type 2 diabetes, metformin is reasonable when the eGFR is ≥ 30 mL/min/1.73 m²; halve the dose below 45. With heart failure, kidney disease or atherosclerotic disease, add an SGLT2 inhibitor or a GLP-1 agonist whatever the HbA1c is. Glucose below 3.9 mmol/L (70 mg/dL) is treated first and explained later.',
  },
  {
    about: /hypertens|blood pressure|lisinopril|amlodipine|mmhg/iu,
    says: 'Confirm hypertension outside the clinic before treating: a home mean of ≥ 135/85 mmHg or a 24-hour mean of ≥ 130/80 mmHg. Look for end-organ damage and causes; begin with an ACE inhibitor or ARB, a calcium-channel blocker or a thiazide-like diuretic, and check potassium and creatinine after 1 to 2 weeks.',
  },
  {
    about: /sepsis|septic|lactate|fever|antibiotic|infection/iu,
    says: 'Suspected sepsis: measure lactate, take two sets of blood cultures, and give broad-spectrum antibiotics within the hour if shock is present. Give 30 mL/kg of crystalloid for hypotension or a lactate ≥ 4 mmol/L, aim for a mean arterial pressure ≥ 65 mmHg, and look again after every step. Fever alone, at 38.5 °C, is not sepsis.',
  },
  {
    about: /interact|medication|drug|dose|pill|side effect|prescri/iu,
    says: 'Before adding a drug, reconcile what is really taken, including what needs no prescription; check renal and hepatic function, allergies, QT-prolonging partners and CYP3A4 inhibitors such as clarithromycin. Ask the pharmacist when more than two of them meet.',
  },
  {
    about: /discharge|summary|note|letter|handoff|hand-off/iu,
    says: 'Summary: reason for admission, what was found, what was done, what changed in the medication and why, what is pending, and who does what by when. State the open questions first; the next reader has two minutes. Please check every line against the chart before it is signed.',
  },
]

const general: readonly string[] = [
  'There is not enough here for a clinical answer. Please add age, the leading symptom, its onset and course, relevant history, current medication and the last vital signs; red flags such as syncope, dyspnea or new confusion need a person now, not a model.',
  'Start from what would be dangerous to miss, then from what is likely. Name the three leading diagnoses, the one finding that would separate them, and the cheapest test that shows it; if the patient looks unwell, examine first and read later.',
  'In short: listen, examine, and write down what would change your mind. If the question concerns treatment, state the goal, the contraindications and the date on which it will be looked at again; a colleague should confirm before anything is given.',
]
