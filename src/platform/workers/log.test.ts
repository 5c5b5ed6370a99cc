import { afterEach, expect, test, vi } from 'vitest'
import { Failure } from '../../kernel/index.ts'
import { workersLog } from './log.ts'

const written = (write: () => void): unknown[] => {
  const lines: string[] = []
  for (const method of ['log', 'warn', 'error'] as const)
    vi.spyOn(console, method).mockImplementation((line: string) => void lines.push(line))
  write()
  return lines.map((line): unknown => JSON.parse(line))
}
afterEach(() => vi.restoreAllMocks())

test('a line is one JSON object with its level, its time, its event and its facts', () => {
  const lines = written(() => {
    workersLog.info('call', { status: 200, tokens: 7n, reasons: ['a', 'b'], tenant: undefined })
    workersLog.warn('call.failed')
  })
  expect(lines).toEqual([
    { level: 'info', time: expect.any(String), event: 'call', status: 200, tokens: '7', reasons: ['a', 'b'] },
    { level: 'warn', time: expect.any(String), event: 'call.failed' },
  ])
})

test('of an error it says the kind, the code and the place, and nothing of its words', () => {
  const quoting = Object.assign(new TypeError('the patient said canary\n    at canary (canary.ts:1:1)'), {
    code: '22P02',
  })
  const failure = new Failure('database', 'canary', { retryable: true, cause: quoting })
  const lines = written(() => {
    workersLog.error('call.bug', { request: 'req_1' }, quoting)
    workersLog.error('call.bug', {}, failure)
    workersLog.error('call.bug', {}, 'a canary that is no error')
  })
  expect(JSON.stringify(lines)).not.toContain('canary')
  expect(lines[0]).toMatchObject({ kind: 'TypeError', code: '22P02', request: 'req_1', event: 'call.bug' })
  expect(lines[0]).toHaveProperty(['at', 0], expect.stringContaining('log.test.ts'))
})
