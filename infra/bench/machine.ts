import { execFileSync } from 'node:child_process'
import { closeSync, fdatasyncSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { cpus, loadavg, platform, release, totalmem } from 'node:os'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { median } from './figures.ts'

/** Where a table comes from. Figures of another machine, version or commit are other figures. */
export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryGib: number
  readonly system: string
  /** Of the last minute before the run: near 0 on a machine that has nothing else to do. */
  readonly loadBefore: number
  readonly node: string
  readonly undici: string
  readonly postgres: string
  /** The median of a write of 8 KB and its sync: no commit is faster. */
  readonly syncMs: number
  readonly commit: string
  readonly at: string
}

const root = fileURLToPath(new URL('../..', import.meta.url))

export async function describeMachine(adminUrl: string): Promise<Machine> {
  const [cpu] = cpus()
  return {
    cpu: cpu?.model ?? 'unknown',
    cores: cpus().length,
    memoryGib: Math.round(totalmem() / 2 ** 30),
    system: `${platform()} ${release()}`,
    loadBefore: loadavg()[0] ?? 0,
    node: process.version,
    undici: undiciVersion(),
    postgres: await postgresVersion(adminUrl),
    syncMs: measureSync(),
    commit: commit(),
    at: new Date().toISOString(),
  }
}

function undiciVersion(): string {
  const text = readFileSync(new URL('../../node_modules/undici/package.json', import.meta.url), 'utf8')
  return /"version": *"([^"]+)"/.exec(text)?.[1] ?? 'unknown'
}

async function postgresVersion(adminUrl: string): Promise<string> {
  const client = new pg.Client({ connectionString: adminUrl, connectionTimeoutMillis: 10_000 })
  await client.connect()
  const setting = async (name: string) => {
    const { rows } = await client.query<{ value: string }>('select current_setting($1) as value', [name])
    return rows[0]?.value ?? '?'
  }
  try {
    const [version, fsync, synchronous] = [
      await setting('server_version'),
      await setting('fsync'),
      await setting('synchronous_commit'),
    ]
    return `${version}, fsync ${fsync}, synchronous_commit ${synchronous}`
  } finally {
    await client.end()
  }
}

function measureSync(): number {
  const path = fileURLToPath(new URL(`../../.data/bench-sync-${process.pid}`, import.meta.url))
  const file = openSync(path, 'w')
  try {
    const page = Buffer.alloc(8192, 1)
    return median(
      Array.from({ length: 50 }, () => {
        const began = performance.now()
        writeSync(file, page)
        fdatasyncSync(file)
        return performance.now() - began
      }),
    )
  } finally {
    closeSync(file)
    rmSync(path)
  }
}

/** A commit with changes on top of it is marked: its table cannot be had again. */
function commit(): string {
  try {
    const isClean = git('status', '--porcelain', '--', 'src', 'db', 'infra') === ''
    return `${git('rev-parse', '--short', 'HEAD')}${isClean ? '' : ' with changes'}`
  } catch {
    return 'unknown'
  }
}

const git = (...args: string[]): string =>
  execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
