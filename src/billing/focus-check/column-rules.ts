import { applies } from './applicability.ts'
import { isAbove, isBelow, readDecimal, show } from './decimal.ts'
import { objectProblem, parseObject } from './json-cell.ts'
import { currencyCodes, modelDatasets, scaleOf, type ModelColumn, type ModelDataset } from './model.ts'
import type { Rule } from './rule.ts'
import { unitProblem } from './unit.ts'

/** What the model says of a column's cells, each as a rule of its own. */
export interface ColumnRule extends Rule {
  readonly column: string
  /** Of a cell: what is wrong with it, or nothing. `presence` is asked of the header instead. */
  wrong(cell: string | null): string | undefined
}

function isMandatory({ feature_level: level, condition }: ModelColumn): boolean {
  return level === 'Mandatory' || (level === 'Conditional' && applies(condition))
}

function cellRules({ id, short }: ModelDataset, column: string, facts: ModelColumn): readonly ColumnRule[] {
  const rule = (kind: string, must: string, wrong: ColumnRule['wrong']): ColumnRule => ({
    id: `${short}-${column}-${kind}`,
    dataset: id,
    columns: [column],
    column,
    must,
    source: 'model',
    wrong,
  })
  const unlessNull = (wrong: (cell: string) => string | undefined) => (cell: string | null) =>
    cell === null ? undefined : wrong(cell)
  return [
    ...(facts.allows_nulls
      ? []
      : [rule('NOT-NULL', `${column} MUST NOT be null.`, (cell) => (cell === null ? 'is null' : undefined))]),
    ...formatsOf(column, facts).map(([kind, must, wrong]) => rule(kind, must, unlessNull(wrong))),
  ]
}

type Format = readonly [kind: string, must: string, wrong: (cell: string) => string | undefined]

function formatsOf(column: string, facts: ModelColumn): readonly Format[] {
  switch (facts.value_format) {
    case 'Decimal':
    case 'Decimal (any)':
    case 'Decimal (non-negative)':
      return decimalFormats(column, facts)
    case 'Date/Time':
      return [['FORMAT', `${column} MUST be UTC in the form YYYY-MM-DDTHH:mm:ssZ.`, timeProblem]]
    case 'Currency':
      return [
        [
          'FORMAT',
          `${column} MUST be a code of ISO 4217.`,
          (cell) => (currencyCodes.has(cell) ? undefined : `${cell} is no currency`),
        ],
      ]
    case 'Allowed Values': {
      const allowed = facts.allowed_values ?? []
      return [
        [
          'ALLOWED',
          `${column} MUST be one of ${allowed.length > 12 ? `${allowed.length} allowed values` : allowed.join(', ')}.`,
          (cell) => (allowed.includes(cell) ? undefined : `${cell} is none of the allowed values`),
        ],
      ]
    }
    case 'Key-Value':
      return [
        [
          'FORMAT',
          `${column} MUST be a JSON object of unique keys and plain values.`,
          (cell) => objectProblem(cell, 'flat'),
        ],
      ]
    case 'JSON Object':
      return [['FORMAT', `${column} MUST be a JSON object of unique keys.`, (cell) => objectProblem(cell, 'nested')]]
    case 'Unit':
      return [['FORMAT', `${column} MUST be a measurement unit.`, unitProblem]]
    case 'Expected Format':
      return [
        [
          'FORMAT',
          `${column} MUST be a positive whole number and a unit of time.`,
          (cell) => (durations.test(cell) ? undefined : `${cell} is no number and unit of time`),
        ],
      ]
    default:
      return [
        [
          'VALUE',
          `${column} MUST be null where it has no value: no empty text and no placeholder.`,
          (cell) => (placeholders.test(cell.trim()) ? `${JSON.stringify(cell)} stands for nothing` : undefined),
        ],
      ]
  }
}

const durations = /^[1-9]\d* (?:Minute|Hour|Day|Week|Month|Quarter|Year)s?$/
const placeholders = /^(?:|-|n\/?a|null|none|not applicable|unknown|undefined)$/i

function decimalFormats(column: string, facts: ModelColumn): readonly Format[] {
  const { precision, scale } = scaleOf(column)
  const range = facts.numeric_range ?? undefined
  const [least, most] = [
    range === undefined ? (facts.value_format === 'Decimal (non-negative)' ? 0n : undefined) : hundredths(range[0]),
    range === undefined ? undefined : hundredths(range[1]),
  ]
  const numbers =
    (wrong: (value: NonNullable<ReturnType<typeof readDecimal>>) => string | undefined) => (cell: string) => {
      const value = readDecimal(cell)
      return value === undefined ? undefined : wrong(value)
    }
  return [
    [
      'FORMAT',
      `${column} MUST be a decimal without exponent, separators, unit or plus sign.`,
      (cell) => (readDecimal(cell) === undefined ? `${cell} is no decimal` : undefined),
    ],
    [
      'SCALE',
      `${column} MUST have at most ${precision} digits, ${scale} of them behind the point.`,
      numbers((value) =>
        value.places > scale || show(value).replaceAll(/[-.]/g, '').length > precision
          ? `${show(value)} is longer`
          : undefined,
      ),
    ],
    ...(least === undefined
      ? []
      : [
          [
            'RANGE',
            `${column} MUST be ${most === undefined ? 'zero or above' : `from ${range?.[0]} to ${range?.[1]}`}.`,
            numbers((value) =>
              isBelow(value, least) || (most !== undefined && isAbove(value, most))
                ? `${show(value)} is outside`
                : undefined,
            ),
          ] satisfies Format,
        ]),
  ]
}

const hundredths = (value: number): bigint => BigInt(Math.round(value * 100))

function timeProblem(cell: string): string | undefined {
  return readTime(cell) === undefined ? `${cell} is no moment in that form` : undefined
}

/** Milliseconds; undefined for a text of another form, and for a day or an hour that there is not. */
export function readTime(cell: string): number | undefined {
  if (!/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/.test(cell)) return undefined
  const at = Date.parse(cell)
  return Number.isNaN(at) || new Date(at).toISOString() !== cell.replace('Z', '.000Z') ? undefined : at
}

/** Whether a cell is a JSON object at all. */
export const isObject = (cell: string): boolean => parseObject(cell) !== undefined

// The lists stand last: they are made when this file is loaded, of what stands above.

/** The rules that every column has by its entry in the model: they are read from there, and none is written twice. */
export const columnRules: readonly ColumnRule[] = [...modelDatasets.values()].flatMap((dataset) =>
  [...dataset.columns].flatMap(([column, facts]) => cellRules(dataset, column, facts)),
)

/** The columns that a file has to have. */
export const presenceRules: readonly (Rule & { readonly column: string })[] = [...modelDatasets.values()].flatMap(
  ({ id, short, columns }) =>
    [...columns].flatMap(([column, facts]) =>
      isMandatory(facts)
        ? [
            {
              id: `${short}-${column}-PRESENT`,
              dataset: id,
              columns: [],
              column,
              must: `${column} MUST be present${facts.feature_level === 'Mandatory' ? '' : `: ${facts.condition}`}.`,
              source: 'model' as const,
            },
          ]
        : [],
    ),
)
