import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { ordersVariable } from '../../src/platform/node/gateway-worker.ts'
import { testPepper } from '../support/house.ts'

export interface TalkativeProcess {
  readonly url: string
  /** Everything on standard output and standard error so far. */
  output(): string
  /** Undefined while it runs. */
  exit(): number | NodeJS.Signals | undefined
  /** Asks it to stop, and resolves when it has ended and its output is whole. */
  stop(): Promise<void>
  /** Sends a signal, and resolves when it has ended. */
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>
}

const worker = fileURLToPath(new URL('../../src/platform/node/gateway-worker.ts', import.meta.url))

/** A gateway as a process of its own that logs everything, and whose output is kept. */
export async function spawnTalkative(
  databaseUrl: string,
  environment: Readonly<Record<string, string>>,
): Promise<TalkativeProcess> {
  const child = fork(worker, [], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: {
      ...process.env,
      DATA_DIR: mkdtempSync(join(tmpdir(), 'formulary-test-data-')),
      PORT: '0',
      LEASE_SECONDS: '2',
      DRAIN_SECONDS: '1',
      LOG_LEVEL: 'debug',
      ...environment,
      [ordersVariable]: JSON.stringify({ databaseUrl, keyPepper: testPepper }),
    },
  })
  const output: string[] = []
  child.stdout?.on('data', (part: Buffer) => output.push(part.toString()))
  child.stderr?.on('data', (part: Buffer) => output.push(part.toString()))
  // A process that has died cannot be told to stop; that it died is told by `exit`.
  child.on('error', () => {})
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const port = await new Promise<number>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`the gateway ended with ${code} before it was ready`)))
    child.on('message', (message: unknown) => {
      if (typeof message === 'object' && message !== null && 'port' in message) resolve(Number(message.port))
    })
  })
  return {
    url: `http://127.0.0.1:${port}`,
    output: () => output.join(''),
    exit: () => child.exitCode ?? child.signalCode ?? undefined,
    stop() {
      if (child.connected) child.send('stop')
      return ended
    },
    end(signal) {
      child.kill(signal)
      return ended
    },
  }
}
