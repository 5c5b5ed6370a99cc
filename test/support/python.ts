import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const venvMsMax = 120_000
const installMsMax = 90_000
const runMsMax = 30_000

/** A Python of the test's own, with packages in it. Remove it. */
export interface Python {
  /** A script of ours in a process of its own: what it shall do is JSON on its stdin, what came of it on its stdout. */
  run(script: URL, wish: object): Promise<unknown>
  remove(): Promise<void>
}

/** What this machine does not have for it. */
export interface LacksPython {
  readonly lacks: string
}

/**
 * A virtual environment in a folder of its own, some seconds. Installed is what the requirements name, by exact version and
 * hash, and wheels alone, so that nothing runs while it is installed.
 * @throws when a package is not what it was when it was reviewed, and on whatever else is not this machine's lack.
 */
export async function openPython(requirements: URL): Promise<Python | LacksPython> {
  const found = await run('python3', ['-c', 'import ensurepip, sys, venv; assert sys.version_info >= (3, 10)'])
  if (found.status !== 0) return { lacks: `no python3 of 3.10 or newer with venv and ensurepip: ${lineOf(found.err)}` }
  const folder = await mkdtemp(join(tmpdir(), 'formulary-python-'))
  const remove = () => rm(folder, { recursive: true, force: true })
  try {
    const python = join(folder, 'bin', 'python')
    assertDone(await run('python3', ['-m', 'venv', folder], { msMax: venvMsMax }))
    const installed = await run(python, [...install, fileURLToPath(requirements)], { msMax: installMsMax })
    if (isUnreached(installed)) {
      await remove()
      return {
        lacks: `the index of Python packages cannot be reached: ${lineOf(installed.err, broken) || `not within ${installMsMax} ms`}`,
      }
    }
    assertDone(installed)
    return {
      remove,
      // Nothing of the surrounding environment: a proxy that is set in it would be asked for 127.0.0.1.
      run: async (script, wish) => {
        const options = { env: {}, input: JSON.stringify(wish), msMax: runMsMax }
        return JSON.parse(assertDone(await run(python, ['-I', fileURLToPath(script)], options)).out)
      },
    }
  } catch (error) {
    await remove()
    throw error
  }
}

const install = (
  '-m pip install --quiet --no-input --no-compile --disable-pip-version-check --timeout 10 --retries 1 ' +
  '--require-hashes --only-binary :all: -r'
).split(' ')

const broken = /connection broken by.*|Max retries exceeded.*|timed out.*/

/** A connection broke, or the time was up, and nothing says that what was found is not what was reviewed. */
const isUnreached = ({ status, err }: Ended): boolean =>
  status !== 0 &&
  (status === null || broken.test(err)) &&
  !/HASHES|--require-hashes|\(from versions: (?!none)/.test(err)

interface Ended {
  /** Null when it was ended because its time was up. */
  readonly status: number | null
  readonly out: string
  readonly err: string
}

function run(
  program: string,
  args: readonly string[],
  { env = process.env, input = '', msMax = runMsMax }: { env?: NodeJS.ProcessEnv; input?: string; msMax?: number } = {},
): Promise<Ended> {
  const child = spawn(program, args, { env, timeout: msMax, killSignal: 'SIGKILL' })
  const said = { out: '', err: '' }
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => void (said.out += chunk))
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => void (said.err += chunk))
  child.stdin.on('error', () => undefined).end(input)
  return new Promise((resolve) => {
    child.once('error', (error) => resolve({ status: 127, out: '', err: error.message }))
    child.once('close', (status) => resolve({ status, ...said }))
  })
}

function assertDone(ended: Ended): Ended {
  if (ended.status !== 0) throw new Error(`ended with ${ended.status ?? 'a signal'}: ${ended.err || ended.out}`)
  return ended
}

/** The line that says it, or the last one. */
const lineOf = (text: string, says = /(?!)/): string => says.exec(text)?.[0] ?? text.trim().split('\n').at(-1) ?? ''
