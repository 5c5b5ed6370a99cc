import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { HostUsage, ReportFormat } from './host-usage.ts'
import type { ReportProblem } from './read-report-line.ts'
import { readReport } from './read-report.ts'

async function read(text: string, format: ReportFormat, pieces: readonly number[] = []) {
  const [rows, problems]: [HostUsage[], ReportProblem[]] = [[], []]
  async function* chunks() {
    let from = 0
    for (const length of pieces) yield text.slice(from, (from += length))
    yield text.slice(from)
  }
  for await (const stretch of readReport(chunks(), format)) {
    rows.push(...stretch.rows)
    problems.push(...stretch.problems)
  }
  return { rows, problems }
}

const header = 'request_id,at,model,input_units,output_units,status,tenant'
const csv = [
  header,
  'req_0190a0e0000070008000000000000001,2026-10-05T10:00:00+02:00,scribe-1,12,3,200,lakeside',
  '0190a0e0-0000-7000-8000-000000000002,2026-10-05T08:00:00.123Z,"scribe, the ""first""",0,0,503,',
  'chatcmpl-1,2026-10-05T08:00:00Z,scribe-1,999999999999999,0,200,',
].join('\r\n')

test('a report is read alike in whatever pieces it comes, as CSV and as JSON', async () => {
  const whole = await read(`\uFEFF${csv}`, 'csv')
  expect(whole.problems).toEqual([])
  expect(whole.rows).toEqual([
    expect.objectContaining({
      line: 2,
      requestId: '0190a0e0-0000-7000-8000-000000000001',
      at: Date.UTC(2026, 9, 5, 8),
      inputUnits: 12n,
      tenant: 'lakeside',
      attempt: 1,
      version: undefined,
    }),
    expect.objectContaining({
      line: 3,
      requestId: '0190a0e0-0000-7000-8000-000000000002',
      model: 'scribe, the "first"',
      status: 503,
      tenant: undefined,
    }),
    expect.objectContaining({ line: 4, requestId: undefined, inputUnits: 999_999_999_999_999n }),
  ])
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(40), { maxLength: 20 }), async (pieces) => {
      expect(await read(csv, 'csv', pieces)).toEqual(await read(csv, 'csv'))
    }),
    { numRuns: 50 },
  )
  const objects = ['a', 'b'].map((name) => ({
    request_id: name,
    at: '2026-10-05T08:00:00Z',
    model: 'scribe-1',
    input_units: 5,
    output_units: '7',
    status: 200,
  }))
  const lines = objects.map((object) => JSON.stringify(object))
  const asLines = await read(lines.join('\n'), 'json')
  expect(asLines.rows.map(({ inputUnits, outputUnits }) => [inputUnits, outputUnits])).toEqual([
    [5n, 7n],
    [5n, 7n],
  ])
  const asArray = await read(`[\n${lines.join(',\n')}\n]\n`, 'json')
  expect(asArray.rows.map(({ model }) => model)).toEqual(['scribe-1', 'scribe-1'])
})

const bad = (cells: string) => `${header}\n${cells}\n`
const good: readonly string[] = ['x', '2026-10-05T08:00:00Z', 'scribe-1', '1', '1', '200', '']
test.each([
  ['no header', 'x,2026-10-05T08:00:00Z,scribe-1,1,1,200,\n', 1, 'the header has "x"'],
  ['a header that lacks a column', 'request_id,at,model,input_units,output_units\n', 1, 'the header lacks status'],
  ['a column twice', `${header},at\n`, 1, 'the header has "at" twice'],
  ['nothing', '', 1, 'there is nothing'],
  ['a quotation mark that is open', bad(good.with(2, '"scribe').join(',')), 2, 'a quotation mark is not closed'],
  ['a time without its zone', bad(good.with(1, '2026-10-05T08:00:00').join(',')), 2, 'at is "2026-10-05T08:00:00"'],
  ['a time that is none', bad(good.with(1, '2026-13-05T08:00:00Z').join(',')), 2, 'at is "2026-13-05T08:00:00Z"'],
  ['half a token', bad(good.with(3, '1.5').join(',')), 2, 'input_units is "1.5"'],
  ['too many digits', bad(good.with(4, '1234567890123456').join(',')), 2, 'output_units is "1234567890123456"'],
  ['no model', bad(good.with(2, '').join(',')), 2, 'model is missing'],
  ['a status in words', bad(good.with(5, 'OK').join(',')), 2, 'status is "OK"'],
])('%s is refused at its line', async (_, text, line, found) => {
  const { rows, problems } = await read(text, 'csv')
  expect(rows).toEqual([])
  expect(problems).toEqual([{ line, found, instead: expect.stringMatching(/\w/) }])
})

test('a line without an end is given up, and not kept', async () => {
  const { problems } = await read(`${header}\n${'x'.repeat(20_000)}`, 'csv')
  expect(problems).toEqual([expect.objectContaining({ line: 2, found: 'it does not end' })])
})
test.each([
  ['what is no JSON', '{', 'it is no JSON by itself'],
  ['a list', '[1]', 'it is no object'],
  ['a member that nobody knows', '{"prompt":"…"}', 'it has a member "prompt"'],
])('%s is refused', async (_, text, found) => {
  expect((await read(text, 'json')).problems).toEqual([expect.objectContaining({ line: 1, found })])
})
