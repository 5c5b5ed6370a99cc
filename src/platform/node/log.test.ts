import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { afterEach, expect, test } from 'vitest'
import { until } from '../../../test/support/ledger.ts'

const log = JSON.stringify(new URL('log.ts', import.meta.url).href)
const running = new Set<ChildProcess>()
afterEach(() => {
  for (const child of running) child.kill('SIGKILL')
  running.clear()
})

/** A process that writes to its log and beats on stderr, as long as its event loop turns. */
function startWriter(body: string) {
  const program = `import { nodeLog } from ${log}
    const log = nodeLog('info')
    setInterval(() => process.stderr.write('.'), 20)
    ${body}`
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['ignore', 'pipe', 'pipe'] })
  running.add(child)
  let beats = 0
  child.stderr.on('data', (dots: Buffer) => (beats += dots.length))
  return { child, stdout: child.stdout, beats: () => beats }
}

const isBeating = async (writer: { beats(): number }) => {
  const before = writer.beats()
  await until('its event loop turns', 10_000, () => writer.beats() > before + 20)
}

test('a process whose log nobody reads any more goes on, and ends when it is asked to', async () => {
  const writer = startWriter(`
    setInterval(() => log.info('line', { text: 'x'.repeat(100) }), 5)
    process.once('SIGTERM', () => { log.flush(); process.exit(7) })`)
  await once(writer.stdout, 'data')
  writer.stdout.destroy()
  await isBeating(writer)
  await isBeating(writer)
  const ended = once(writer.child, 'exit')
  writer.child.kill('SIGTERM')
  expect(await ended).toEqual([7, null])
})

test('a reader that does not read holds nothing up, and is told how many lines it lost', async () => {
  const writer = startWriter(`
    const full = () => { for (let i = 0; i < 2000; i++) log.info('line', { text: 'x'.repeat(1000) }) }
    const timer = setInterval(full, 50)
    process.once('SIGUSR2', () => { clearInterval(timer) })`)
  await until('it beats', 10_000, () => writer.beats() > 5)
  await isBeating(writer)
  await isBeating(writer)
  writer.child.kill('SIGUSR2')
  let text = ''
  writer.stdout.setEncoding('utf8').on('data', (part: string) => (text += part))
  await until('the loss is told', 20_000, () => text.includes('"event":"log.dropped"'))
  const lines = text.slice(0, text.lastIndexOf('\n')).split('\n')
  const read = lines.map((line): unknown => JSON.parse(line))
  expect(read).toContainEqual({ level: 40, event: 'log.dropped', lines: expect.any(Number) })
})

test('the last lines are written before the process ends, however it is left', async () => {
  for (const end of ['process.exit(0)', 'setTimeout(() => process.exit(0), 5)', 'throw new Error()']) {
    const { child, stdout } = startWriter(`log.warn('last', { how: 1 }); ${end}`)
    let text = ''
    stdout.setEncoding('utf8').on('data', (part: string) => (text += part))
    await once(child, 'close')
    expect(text).toMatch(/^\{"level":40,"time":\d+,"how":1,"event":"last"\}\n$/)
  }
})
