import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { until } from './ledger.ts'

export const project = fileURLToPath(new URL('../../', import.meta.url))
export const formulary = fileURLToPath(new URL('../../src/cli/formulary.ts', import.meta.url))

export interface Ended {
  readonly status: number | null
  readonly signal: NodeJS.Signals | null
}

/** A command of ours as a user has it: in a process group of its own, as a terminal does it. */
export interface Command {
  readonly pid: number
  readonly ended: Promise<Ended>
  stdout(): string
  stderr(): string
  /** To every process of the terminal, as Ctrl-C does. */
  interruptAll(): void
  kill(signal: NodeJS.Signals): void
  /** Whoever reads its output leaves, as a terminal that is closed or a `| head`. */
  hangUp(): void
}

const commands = new Set<ChildProcess>()

/** Nothing of the surrounding environment reaches the command but what a shell must have. */
export function runCommand(
  program: string,
  args: readonly string[],
  options: { environment?: Readonly<Record<string, string>>; cwd?: string } = {},
): Command {
  const child = spawn(program, args, {
    cwd: options.cwd ?? project,
    env: {
      PATH: `${project}node_modules/.bin:${process.env['PATH'] ?? ''}`,
      HOME: process.env['HOME'] ?? '/tmp',
      ...options.environment,
    },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  commands.add(child)
  const text = { out: '', err: '' }
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => void (text.out += chunk))
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => void (text.err += chunk))
  const pid = child.pid ?? 0
  return {
    pid,
    ended: new Promise((resolve, reject) => {
      child.once('error', reject)
      // Not `exit`: whoever else holds the output open has to be gone as well.
      child.once('close', (status, signal) => {
        commands.delete(child)
        resolve({ status, signal })
      })
    }),
    stdout: () => text.out,
    stderr: () => text.err,
    interruptAll() {
      if (pid === 0) throw new Error('the command was never started')
      process.kill(-pid, 'SIGINT')
    },
    kill: (signal) => child.kill(signal),
    hangUp() {
      child.stdout.destroy()
      child.stderr.destroy()
    },
  }
}

/** For the end of a test file: whatever a failed test has left running. */
export function endAllCommands(): void {
  for (const child of commands) {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
    } catch {
      // The group has ended.
    }
  }
}

/** Where processes can be looked at. */
export const hasProcesses = existsSync('/proc/self/stat')

export interface Process {
  readonly pid: number
  readonly commandLine: string
  /** Together with the number it names one process for good. */
  readonly startedAt: string
}

const allProcesses = () =>
  readdirSync('/proc').flatMap((name) => (/^\d+$/.test(name) ? (readProcess(Number(name)) ?? []) : []))

/** Whoever was started with this in its command line, such as a data directory. */
export const processesMentioning = (text: string): readonly Process[] =>
  allProcesses().filter(({ commandLine }) => commandLine.includes(text))

/** A process and all below it, sessions of their own included. */
export function familyOf(pid: number): readonly Process[] {
  const all = allProcesses()
  const family = new Set([pid])
  for (let before = 0; before < family.size;) {
    before = family.size
    for (const found of all) if (family.has(found.parent)) family.add(found.pid)
  }
  return all.filter((found) => family.has(found.pid))
}

/** Those of a family that still run. */
export const stillRunning = (family: readonly Process[]): readonly Process[] =>
  family.filter(({ pid, startedAt }) => readProcess(pid)?.startedAt === startedAt)

export async function untilGone(family: readonly Process[], withinMs: number): Promise<void> {
  await until('every process has ended', withinMs, () => stillRunning(family).length === 0).catch((error: unknown) => {
    throw new Error(JSON.stringify(stillRunning(family)), { cause: error })
  })
}

function readProcess(pid: number): (Process & { readonly parent: number }) | undefined {
  try {
    // The name in parentheses may hold anything; what follows it are numbers: state, parent, …, and the start as 22nd.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ')
    const commandLine = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim()
    // A zombie has ended; only its parent has not noticed.
    if (fields[0] === 'Z') return undefined
    return { pid, parent: Number(fields[1]), startedAt: fields[19] ?? '', commandLine }
  } catch {
    return undefined
  }
}
