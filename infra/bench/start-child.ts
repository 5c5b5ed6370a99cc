import { fork, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'

export interface Child {
  readonly process: ChildProcess
  readonly pid: number
  /** Its first message: it is ready. */
  readonly ready: unknown
  /** Asks it to end, and waits until it has. */
  stop(): Promise<void>
}

const startMs = 30_000
const stopMs = 60_000

/**
 * Starts a script of ours as a process of its own. Every one of them ends when this process is gone, because its channel
 * closes then. `outputFd` takes its standard output.
 * @throws Error when it ends before it is ready.
 */
export function startChild(
  script: string,
  options: { args?: readonly string[]; environment?: NodeJS.ProcessEnv; outputFd?: number } = {},
): Promise<Child> {
  const child = fork(fileURLToPath(new URL(script, import.meta.url)), [...(options.args ?? [])], {
    stdio: ['ignore', options.outputFd ?? 'ignore', 'inherit', 'ipc'],
    serialization: 'advanced',
    env: options.environment ?? plainEnvironment(),
  })
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => {
      child.kill('SIGKILL')
      reject(new Error(`${script} was not ready in time`))
    }, startMs)
    child.once('error', reject)
    child.once('exit', (code, signal) => {
      clearTimeout(late)
      reject(new Error(`${script} ended with ${code ?? signal} before it was ready`))
    })
    child.once('message', (ready) => {
      clearTimeout(late)
      resolve({ process: child, pid: child.pid ?? 0, ready, stop: () => stop(child) })
    })
  })
}

/** What a process here gets to know of the outside: nothing that changes how Node or the gateway runs. */
export function plainEnvironment(more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  const kept = ['PATH', 'HOME', 'TMPDIR', 'TZ', 'LANG'].flatMap((name) => {
    const value = process.env[name]
    return value === undefined ? [] : [[name, value] as const]
  })
  return { ...Object.fromEntries(kept), ...more }
}

function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve()
  return new Promise((resolve) => {
    const late = setTimeout(() => child.kill('SIGKILL'), stopMs)
    child.once('exit', () => {
      clearTimeout(late)
      resolve()
    })
    if (child.connected) child.disconnect()
    else child.kill('SIGTERM')
  })
}
