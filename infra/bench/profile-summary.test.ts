import { expect, test } from 'vitest'
import { formatSummary, summarize, type Profile } from './profile-summary.ts'

const root = new URL('../..', import.meta.url).href
const frame = (functionName: string, url: string, lineNumber = 0) => ({ functionName, url, lineNumber })

/** `(root)` calls call.ts, which calls a package, which writes to a socket; besides, the process is idle. */
const profile: Profile = {
  nodes: [
    { id: 1, callFrame: frame('(root)', ''), children: [2, 5] },
    { id: 2, callFrame: frame('callModel', `${root}src/gateway/call.ts`, 9), children: [3] },
    { id: 3, callFrame: frame('query', `${root}node_modules/pg/lib/client.js`), children: [4] },
    { id: 4, callFrame: frame('writev', '') },
    { id: 5, callFrame: frame('(idle)', '') },
  ],
  startTime: 1000,
  samples: [2, 3, 4, 5, 2],
  timeDeltas: [0, 10, 20, 30, 40, 0],
}

test('a sample stands for the time until the next, and idling is no work', () => {
  const summary = summarize(profile, [{ from: 0, to: Infinity }])
  expect([summary.busyMicros, summary.allMicros]).toEqual([60, 100])
  expect(summary.functions).toEqual([
    { name: 'writev  (native)  < pg', micros: 30 },
    { name: 'query  pg/lib/client.js:1', micros: 20 },
    { name: 'callModel  src/gateway/call.ts:10', micros: 10 },
  ])
  expect(summary.packages.map(({ name }) => name)).toEqual(['(native)', 'pg', 'src/gateway'])
})

test('what the system does is counted for the package that made it', () => {
  expect(summarize(profile, [{ from: 0, to: Infinity }]).causes).toEqual([
    { name: 'pg', micros: 50 },
    { name: 'src/gateway', micros: 10 },
  ])
})

test('only the time of the load is read', () => {
  expect(summarize(profile, [{ from: 1030, to: 1031 }]).functions).toEqual([
    { name: 'writev  (native)  < pg', micros: 30 },
  ])
})

test('the time per call stands beside the percentage', () => {
  expect(formatSummary(summarize(profile, [{ from: 0, to: Infinity }]), { calls: 10 })).toContain(
    '50.0 %     3.0 µs  writev',
  )
})

test('what a stage has others do for it is counted for the stage', () => {
  const { stages } = summarize(profile, [{ from: 0, to: Infinity }])
  expect(stages).toEqual([
    { name: 'rate and settle', micros: 50 },
    { name: 'transport (HTTP in and out)', micros: 10 },
  ])
})
