import { readdirSync, readFileSync } from 'node:fs'
import { z } from 'zod'

const write = z.union([
  z.strictObject({ text: z.string(), delayMs: z.number().min(0).max(10_000).optional() }),
  z.strictObject({ base64: z.base64(), delayMs: z.number().min(0).max(10_000).optional() }),
])

const expectation = z.strictObject({
  outcome: z.enum(['answered', 'host_error', 'host_closed', 'host_timeout']),
  usageSource: z.enum(['host', 'estimated']),
  inputTokens: z.number().int().min(0).optional(),
  outputTokens: z.number().int().min(0).optional(),
  deliveredText: z.string(),
  usageChunkDelivered: z.boolean(),
  done: z.boolean(),
  bytesEqual: z.boolean(),
})

const caseFile = z.strictObject({
  name: z.string().regex(/^[a-z0-9-]+$/u),
  why: z.string().min(20),
  writes: z.array(write).max(1000),
  end: z.enum(['close', 'destroy', 'stall']),
  callerAskedForUsage: z.boolean(),
  expect: expectation,
})

/** One shape of upstream stream, and what a gateway must make of it. The README says what each field means. */
export type StreamCase = z.infer<typeof caseFile>
export type StreamExpectation = z.infer<typeof expectation>

/** Every case, by name. Throws at the first file that is not one, with its name. */
export function loadCorpus(): StreamCase[] {
  const folder = new URL('./', import.meta.url)
  const files = readdirSync(folder).filter((file) => file.endsWith('.json'))
  return files.toSorted().map((file) => {
    const read = caseFile.safeParse(JSON.parse(readFileSync(new URL(file, folder), 'utf8')))
    if (!read.success) throw new TypeError(`${file}: ${z.prettifyError(read.error)}`)
    if (`${read.data.name}.json` !== file) throw new TypeError(`${file} is named ${read.data.name}`)
    return read.data
  })
}

/** The whole body the upstream sends, as one. */
export function upstreamBytes(streamCase: Pick<StreamCase, 'writes'>): Buffer {
  return Buffer.concat(
    streamCase.writes.map((each) => ('text' in each ? Buffer.from(each.text) : Buffer.from(each.base64, 'base64'))),
  )
}
