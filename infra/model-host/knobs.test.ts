import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { startModelHost } from './model-host.ts'

test('knobs are shown, merged and reset over HTTP', async () => {
  const host = await startModelHost({ knobs: { chunkMs: 1 } })
  const first = await send(host.url, 'PUT', { status: 503 })
  const second = await send(host.url, 'PUT', { chunkMs: 9 })
  expect(first.body).toMatchObject({ status: 503, chunkMs: 1 })
  expect(second.body).toMatchObject({ status: 503, chunkMs: 9 })
  expect((await send(host.url, 'DELETE')).body).toMatchObject({ status: null, chunkMs: 1 })
  await host.stop()
})

test('an unknown knob, or one turned too far, changes nothing and is named', async () => {
  const host = await startModelHost()
  const unknown = await send(host.url, 'PUT', { chunkMs: 9, firstTokenMS: 1 })
  const tooFar = await send(host.url, 'PUT', { chunkMs: 9, chunks: -1 })
  expect([unknown.status, tooFar.status]).toEqual([400, 400])
  expect(unknown.body.error).toContain('unknown knob firstTokenMS')
  expect(tooFar.body.error).toContain('chunks')
  expect(host.knobs().chunkMs).toBe(null)
  await host.stop()
})

test('a host in a process of its own tells its address, takes knobs, and ends with its parent', async () => {
  const child = fork(fileURLToPath(new URL('main.ts', import.meta.url)), ['--port', '0'], {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    execArgv: [],
  })
  let printed = ''
  child.stdout?.on('data', (part) => (printed += String(part)))
  const [started] = await once(child, 'message')
  child.send({ knobs: { nonsense: true } })
  const [refused] = await once(child, 'message')
  expect(refused.error).toContain('unknown knob nonsense')
  expect((await send(started.url, 'GET')).status).toBe(200)
  expect(printed).toBe(`model host listening on ${started.url}\n`)
  const exited = once(child, 'exit')
  child.disconnect()
  expect(await exited).toEqual([0, null])
})

async function send(url: string, method: string, knobs?: unknown) {
  const body = knobs === undefined ? {} : { body: JSON.stringify(knobs) }
  const answer = await fetch(`${url}/_knobs`, { method, ...body })
  return { status: answer.status, body: z.looseObject({ error: z.string().optional() }).parse(await answer.json()) }
}
