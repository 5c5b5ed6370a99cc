import { z } from 'zod'
import { faultInstead } from './faults.ts'
import { refuseCall } from './http-answers.ts'
import { predictors, type Predictor, type Tensor } from './predictors.ts'
import type { ServedCall } from './served-call.ts'
import { sendWhole } from './whole-answer.ts'

const tensor = z.object({
  name: z.string().min(1),
  shape: z.array(z.number().int().min(0)).min(1).max(16),
  datatype: z.string().min(1),
  // Looked at by `flat` and `rowsOf`: a schema for 60,000 numbers would cost more than the prediction.
  data: z.array(z.unknown()),
})

const inferenceRequest = z.object({
  id: z.string().nullish(),
  parameters: z.record(z.string(), z.unknown()).nullish(),
  inputs: z.array(tensor).min(1).max(64),
  outputs: z
    .array(z.object({ name: z.string() }))
    .max(64)
    .nullish(),
})

/** `POST /v2/models/{model}[/versions/{version}]/infer`, Open Inference Protocol V2. */
export async function serveInfer(call: ServedCall): Promise<void> {
  const model = call.named?.model ?? ''
  call.model = model
  const read = inferenceRequest.safeParse(call.body)
  if (!read.success) return refuseCall(call, 400, z.prettifyError(read.error))
  const request = read.data
  const inputs: Tensor[] = request.inputs.map((input) => ({ ...input, data: flat(input.data) }))
  const outputs = predict(predictors.get(model), inputs)
  if (!outputs.ok) return refuseCall(call, 400, outputs.message)
  const wanted = request.outputs?.map((output) => output.name) ?? outputs.tensors.map((output) => output.name)
  const missing = wanted.find((name) => outputs.tensors.every((output) => output.name !== name))
  if (missing !== undefined) return refuseCall(call, 400, `model ${model} has no output ${missing}`)
  const fault = faultInstead(call)
  if (fault !== null) return fault

  if (call.knobs.firstTokenMs > 0 && !(await call.pause(call.knobs.firstTokenMs))) return
  const body = {
    model_name: model,
    model_version: call.named?.version ?? '1',
    ...(request.id === null || request.id === undefined ? {} : { id: request.id }),
    outputs: outputs.tensors.filter((output) => wanted.includes(output.name)),
  }
  await sendWhole(call, JSON.stringify(body))
}

type Prediction = { ok: true; tensors: Tensor[] } | { ok: false; message: string }

function predict(predictor: Predictor | undefined, inputs: readonly Tensor[]): Prediction {
  const wrong = inputs.find((input) => input.data.length !== product(input.shape))
  if (wrong !== undefined) {
    const message = `input ${wrong.name} has ${wrong.data.length} values, its shape says ${product(wrong.shape)}`
    return { ok: false, message }
  }
  if (predictor === undefined) return { ok: true, tensors: [...inputs] }

  const [expected] = predictor.inputs
  const input = inputs.find((candidate) => candidate.name === expected?.name)
  if (expected === undefined || input === undefined) return { ok: false, message: `no input ${expected?.name}` }
  const fits =
    input.shape.length === expected.shape.length &&
    expected.shape.every((size, axis) => size === -1 || size === input.shape[axis])
  if (!fits || input.datatype !== expected.datatype) {
    const message = `input ${input.name} is ${input.datatype} [${input.shape.join()}], not ${expected.datatype} [${expected.shape.join()}]`
    return { ok: false, message }
  }
  const rows = rowsOf(input)
  if (rows === null)
    return { ok: false, message: `input ${input.name} is empty or holds something that is not a number` }
  const predictions = rows.map((row) => predictor.predict(row))
  return {
    ok: true,
    tensors: predictor.outputs.map((output, index) => ({
      name: output.name,
      datatype: output.datatype,
      shape: [rows.length, 1],
      data: predictions.map((prediction) => prediction[index] ?? 0),
    })),
  }
}

/** The protocol allows tensor data nested by axis as well as flat. */
function flat(data: unknown[]): unknown[] {
  return Array.isArray(data[0]) ? data.flat(16) : data
}

function product(shape: readonly number[]): number {
  return shape.reduce((size, axis) => size * axis, 1)
}

function rowsOf(input: Tensor): Float64Array[] | null {
  const [batch = 1] = input.shape
  // Without data a shape such as [1000000000, 12, 0] would still ask for a thousand million rows.
  if (input.data.length === 0) return null
  const size = input.data.length / batch
  const rows = Array.from({ length: batch }, () => new Float64Array(size))
  for (const [index, value] of input.data.entries()) {
    if (typeof value !== 'number') return null
    const row = rows[Math.floor(index / size)]
    if (row !== undefined) row[index % size] = value
  }
  return rows
}
