import { spawn } from 'node:child_process'
import { createServer } from 'node:net'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { plainEnvironment } from './start-child.ts'

const startMs = 20_000

/**
 * @portkey-ai/gateway, when somebody has installed it: it forwards, and neither licenses, budgets nor records.
 * Of its version 1.15.2 only whole answers can be measured: on Node 26 it answers every stream with 500, because it adds a
 * header to an answer of `fetch`, which is immutable. With `@hono/node-server` 1.13.7 below it, which its own package allows
 * too, it streams. `outputFd` takes its output.
 */
export async function startPortkey(
  folder: string,
  options: { outputFd?: number } = {},
): Promise<{ url: string; child: { pid: number; stop(): Promise<void> } }> {
  const places = [folder, join(folder, 'node_modules/@portkey-ai/gateway')].map((place) =>
    join(place, 'build/start-server.js'),
  )
  const script = places.find((place) => existsSync(place))
  if (script === undefined) throw new Error(`--portkey: none of ${places.join(', ')} is there`)
  const port = await freePort()
  const output = options.outputFd ?? 'ignore'
  const child = spawn(process.execPath, [script, `--port=${port}`, '--headless'], {
    stdio: ['ignore', output, output],
    env: plainEnvironment({ NODE_ENV: 'production' }),
  })
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve())
  })
  process.once('exit', () => child.kill('SIGKILL'))
  const url = `http://127.0.0.1:${port}`
  const stop = () => {
    child.kill('SIGKILL')
    return ended
  }
  const giveUpAt = performance.now() + startMs
  while (!(await answers(url))) {
    if (performance.now() > giveUpAt || child.exitCode !== null) {
      await stop()
      throw new Error('@portkey-ai/gateway did not start')
    }
    await new Promise((resolve) => {
      setTimeout(resolve, 100)
    })
  }
  return { url, child: { pid: child.pid ?? 0, stop } }
}

const answers = (url: string): Promise<boolean> =>
  fetch(url).then(
    async (answer) => {
      await answer.arrayBuffer()
      return true
    },
    () => false,
  )

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}
