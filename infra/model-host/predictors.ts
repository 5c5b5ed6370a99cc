import { sumOf } from './text.ts'

export type Tensor = { name: string; datatype: string; shape: number[]; data: unknown[] }

/** The metadata of one tensor. -1 in a shape is "any". */
export type TensorShape = { name: string; datatype: string; shape: number[] }

export type Predictor = {
  title: string
  inputs: readonly TensorShape[]
  outputs: readonly TensorShape[]
  /** One row of outputs for each row of the input, in the order of `outputs`. Same numbers in, same numbers out. */
  predict(row: Float64Array): readonly number[]
}

/** The predictors with a shape of their own. Any other name answers with what it was given. */
export const predictors: ReadonlyMap<string, Predictor> = new Map<string, Predictor>([
  [
    'ecg-low-ef',
    {
      title: 'Probability of an ejection fraction of 40 % or less, from ten seconds of a 12-lead ECG at 500 Hz',
      inputs: [{ name: 'ecg', datatype: 'FP32', shape: [-1, 12, -1] }],
      outputs: [{ name: 'probability', datatype: 'FP32', shape: [-1, 1] }],
      // Flat and noisy traces look ill, lively ones well: no cardiology, but it moves with the data.
      predict: (row) => [logistic(1.2 - 4 * rootMeanSquare(row) + tilt(row))],
    },
  ],
  [
    'ct-pancreas',
    {
      title: 'Probability of a pancreatic lesion and the diameter of the largest, from a CT volume',
      inputs: [{ name: 'volume', datatype: 'FP32', shape: [-1, 1, -1, -1, -1] }],
      outputs: [
        { name: 'probability', datatype: 'FP32', shape: [-1, 1] },
        { name: 'largest_lesion_mm', datatype: 'FP32', shape: [-1, 1] },
      ],
      predict: (row) => {
        const probability = logistic(tilt(row) * 3 - 1)
        return [probability, Math.round(probability * 400) / 10]
      },
    },
  ],
])

function logistic(value: number): number {
  return Math.fround(1 / (1 + Math.exp(-value)))
}

function rootMeanSquare(row: Float64Array): number {
  let sum = 0
  for (const value of row) sum += value * value
  return Math.min(Math.sqrt(sum / Math.max(row.length, 1)), 10)
}

/** A number in [-1, 1) that depends on every value. */
function tilt(row: Float64Array): number {
  let sum = sumOf(String(row.length))
  for (const value of row) sum = Math.imul(sum ^ Math.round(value * 1e6), 0x01000193) >>> 0
  return sum / 2 ** 31 - 1
}
