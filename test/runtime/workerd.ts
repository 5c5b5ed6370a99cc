import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { unstable_readConfig } from 'wrangler'
import { z } from 'zod'

const project = fileURLToPath(new URL('../../', import.meta.url))
const wranglerToml = join(project, 'wrangler.toml')

const Metafile = z.object({ inputs: z.record(z.string(), z.unknown()) })

/** The Worker as `wrangler deploy` would upload it. */
export interface Bundle {
  readonly folder: string
  readonly bytes: number
  /** Names of the files that workerd compiles beforehand. */
  readonly compiled: readonly string[]
  /** The files it was made of, from the project's folder. */
  readonly inputs: readonly string[]
  remove(): Promise<void>
}

/** Bundles the Worker of `wrangler.toml`, some seconds. Remove it. */
export async function bundleWorker(): Promise<Bundle> {
  const folder = await mkdtemp(join(tmpdir(), 'formulary-worker-'))
  const wrangler = join(project, 'node_modules/wrangler/bin/wrangler.js')
  const args = ['deploy', '--dry-run', '--config', wranglerToml, '--outdir', folder, '--metafile']
  const env = { ...process.env, WRANGLER_SEND_METRICS: 'false', WRANGLER_LOG_PATH: folder, CI: '1' }
  await promisify(execFile)(process.execPath, [wrangler, ...args], { cwd: project, env })
  const metafile = Metafile.parse(JSON.parse(await readFile(join(folder, 'bundle-meta.json'), 'utf8')))
  return {
    folder,
    bytes: (await readFile(join(folder, 'worker.js'))).length,
    compiled: (await readdir(folder)).filter((name) => name.endsWith('.wasm')),
    inputs: Object.keys(metafile.inputs),
    remove: () => rm(folder, { recursive: true }),
  }
}

export interface ServedWorker {
  /** Without a slash at its end. */
  readonly url: string
  readonly startMs: number
  /** What it has written to its log. */
  log(): string
  /** Ends it at once, with everything that it has open. */
  kill(): Promise<void>
  stop(): Promise<void>
}

/**
 * Serves a bundle in workerd itself, with nothing before or behind it: wrangler's development server would keep from the
 * Worker that a caller has left, and make answers of its own from what its model host does wrong.
 */
export async function serveWorker(
  bundle: Bundle,
  bindings: { texts: Readonly<Record<string, string>>; databaseUrl: string },
): Promise<ServedWorker> {
  const began = performance.now()
  const config = join(bundle.folder, `${crypto.randomUUID()}.capnp`)
  await writeFile(config, workerdConfig(bundle, bindings))
  const workerd = spawn(workerdPath(), ['serve', '--control-fd=3', config], {
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  })
  let log = ''
  for (const stream of [workerd.stdout, workerd.stderr]) stream?.on('data', (part: Buffer) => (log += String(part)))
  const port = await portOf(workerd, () => log)
  return {
    url: `http://127.0.0.1:${port}`,
    startMs: performance.now() - began,
    log: () => log,
    kill: () => end(workerd, 'SIGKILL'),
    stop: () => end(workerd, 'SIGTERM'),
  }
}

async function end(workerd: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (workerd.exitCode !== null || workerd.signalCode !== null) return
  const gone = new Promise((resolve) => workerd.once('exit', resolve))
  workerd.kill(signal)
  await gone
}

/** In the words of workerd.capnp; the date and the flags are those of `wrangler.toml`. */
function workerdConfig(
  { compiled }: Bundle,
  { texts, databaseUrl }: { texts: Readonly<Record<string, string>>; databaseUrl: string },
): string {
  const { compatibility_date, compatibility_flags } = unstable_readConfig({ config: wranglerToml })
  const quoted = (text: string) => JSON.stringify(text)
  const modules = [
    '(name = "worker.js", esModule = embed "worker.js")',
    ...compiled.map((name) => `(name = ${quoted(name)}, wasm = embed ${quoted(name)})`),
  ]
  const bound = [
    `(name = "HYPERDRIVE", json = ${quoted(JSON.stringify({ connectionString: databaseUrl }))})`,
    ...Object.entries(texts).map(([name, text]) => `(name = ${quoted(name)}, text = ${quoted(text)})`),
  ]
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .worker),
    (name = "internet", network = (allow = ["public", "private", "local"])),
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);
const worker :Workerd.Worker = (
  modules = [${modules.join(', ')}],
  compatibilityDate = ${quoted(compatibility_date ?? '')},
  compatibilityFlags = [${compatibility_flags.map(quoted).join(', ')}],
  bindings = [${bound.join(', ')}],
);
`
}

/** The workerd that came with wrangler. */
function workerdPath(): string {
  const ofWrangler = createRequire(createRequire(import.meta.url).resolve('wrangler'))
  return z.object({ default: z.string() }).parse(ofWrangler('workerd')).default
}

/** workerd says on its control descriptor where it listens. */
async function portOf(workerd: ChildProcess, log: () => string): Promise<number> {
  const control = workerd.stdio[3] as Readable
  const said = await new Promise<string>((resolve, reject) => {
    control.once('data', (part: Buffer) => resolve(String(part)))
    workerd.once('exit', () => reject(new Error(`workerd did not start: ${log()}`)))
  })
  const [line = ''] = said.split('\n')
  return z.object({ event: z.literal('listen'), port: z.int() }).parse(JSON.parse(line)).port
}
