import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findPostgresPackage } from './postgres-package.ts'
import { EmbeddedPostgresError, startPostgres } from './postgres.ts'

const asRoot = process.getuid?.() === 0
const scratch = mkdtempSync(join(tmpdir(), 'formulary-postgres-'))
const dataDir = join(scratch, 'data')
const postmasterPid = join(dataDir, 'cluster', 'postmaster.pid')

beforeAll(async () => {
  const postgres = await startPostgres({ dataDir, durable: false })
  await query(postgres.url, 'create table kept (word text)')
  await postgres.stop()
})
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

describe('one cluster, many starts', () => {
  test('a second start finds what the first one wrote', async () => {
    const first = await startPostgres({ dataDir })
    await query(first.url, "insert into kept values ('first')")
    await first.stop()
    const second = await startPostgres({ dataDir })
    expect(await query(second.url, "select word from kept where word = 'first'")).toEqual([{ word: 'first' }])
    await second.stop()
  })

  test('a committed row is on disk unless the caller gave durability up', async () => {
    const shown = 'select current_setting($1) as value'
    const durable = await startPostgres({ dataDir })
    expect(await query(durable.url, shown, ['synchronous_commit'])).toEqual([{ value: 'on' }])
    expect(await query(durable.url, shown, ['fsync'])).toEqual([{ value: 'on' }])
    await durable.stop()
    const forTests = await startPostgres({ dataDir, durable: false, settings: { max_connections: '50' } })
    expect(await query(forTests.url, shown, ['fsync'])).toEqual([{ value: 'off' }])
    expect(await query(forTests.url, shown, ['max_connections'])).toEqual([{ value: '50' }])
    await forTests.stop()
  })

  test('while one process holds the directory, another start is refused with one line', async () => {
    const postgres = await startPostgres({ dataDir, durable: false })
    const refused = await startRefused({ dataDir })
    expect(refused.message).toContain(`in use by another process (${process.pid})`)
    expect(refused.message).not.toContain('\n')

    const stranger = startElsewhere({ dataDir })
    expect(await stranger.line()).toContain(`in use by another process (${process.pid})`)
    expect(await query(postgres.url, 'select 1 as alive')).toEqual([{ alive: 1 }])
    await postgres.stop()
  })

  test('of two starts at the same moment one serves and one is refused', async () => {
    const starts = [startElsewhere({ dataDir }), startElsewhere({ dataDir })]
    const lines = await Promise.all(starts.map((start) => start.line()))
    expect(lines.filter((line) => line.startsWith('postgres://'))).toHaveLength(1)
    expect(lines.filter((line) => line.includes('in use by another process'))).toHaveLength(1)
    for (const start of starts) await start.kill()
  })

  test('after stop() the next start may follow at once, and stop() twice is stop() once', async () => {
    const postgres = await startPostgres({ dataDir, durable: false })
    await Promise.all([postgres.stop(), postgres.stop()])
    const next = await startPostgres({ dataDir, durable: false })
    await next.stop()
  })
})

describe('what a killed parent leaves', () => {
  test('kill -9 loses no committed row, and the next start is not blocked', async () => {
    const parent = startElsewhere({ dataDir })
    await query(await parent.line(), "insert into kept values ('before kill')")
    await parent.kill()
    const next = await startPostgres({ dataDir })
    expect(await query(next.url, "select word from kept where word = 'before kill'")).toEqual([{ word: 'before kill' }])
    await next.stop()
  })

  test.skipIf(asRoot && !nobodyCanRunPostgres())(
    'an orphan that nobody told is stopped by the next start',
    async () => {
      // Without `setpriv` the kernel tells the child nothing, as on macOS.
      const orphaned = join(scratch, 'orphaned')
      chmodSync(scratch, 0o711)
      const parent = startElsewhere({ dataDir: orphaned, path: '/nonexistent' })
      await query(await parent.line(), 'create table kept as select 1 as one')
      await parent.kill()
      const orphan = Number(readFileSync(join(orphaned, 'cluster', 'postmaster.pid'), 'utf8').split('\n')[0])
      expect(isAlive(orphan)).toBe(true)

      const next = await startPostgres({ dataDir: orphaned })
      expect(await query(next.url, 'select one from kept')).toEqual([{ one: 1 }])
      await next.stop()
    },
  )

  test('a postmaster.pid whose number now belongs to a stranger is cleared, and the stranger lives', async () => {
    const stranger = spawn('sleep', ['60'])
    writeFileSync(postmasterPid, `${stranger.pid}\n${join(dataDir, 'cluster')}\n`)
    const postgres = await startPostgres({ dataDir, durable: false })
    expect(stranger.exitCode).toBeNull()
    expect(stranger.signalCode).toBeNull()
    stranger.kill()
    await postgres.stop()
  })

  test('a postmaster.pid of a dead process is no problem', async () => {
    const { pid } = spawnSync('true')
    writeFileSync(postmasterPid, `${pid}\n${join(dataDir, 'cluster')}\n`)
    const postgres = await startPostgres({ dataDir, durable: false })
    await postgres.stop()
  })
})

test('Ctrl-C reaches the parent and not the server, so that the parent can end in order', async () => {
  const parent = startElsewhere({ dataDir, onInterrupt: "console.log((await ask('select 1 as one')).rows[0].one)" })
  await parent.line()
  parent.interruptGroup()
  expect(await parent.line()).toBe('1')
  await parent.ended
})

describe('refusals', () => {
  test('a port that is taken', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    const port = typeof address === 'object' ? address?.port : undefined
    expect((await startRefused({ dataDir, ...(port === undefined ? {} : { port }) })).message).toContain('is taken')
    server.close()
  })

  test('a cluster of another major version', async () => {
    const old = join(scratch, 'old')
    mkdirSync(join(old, 'cluster'), { recursive: true })
    writeFileSync(join(old, 'cluster', 'PG_VERSION'), '15\n')
    expect((await startRefused({ dataDir: old })).message).toContain('was made by PostgreSQL 15')
  })

  test('a setting that PostgreSQL does not know, in its own words', async () => {
    const refused = await startRefused({ dataDir, settings: { shared_bufers: '1GB' } })
    expect(refused.message).toContain('unrecognized configuration parameter "shared_bufers"')
  })

  test('a platform without a package says to set DATABASE_URL', async () => {
    const line = await startElsewhere({ dataDir, platform: 'aix' }).line()
    expect(line).toContain('set DATABASE_URL')
  })

  test.runIf(asRoot)('a data directory that the mapped user cannot enter', async () => {
    const closed = join(scratch, 'closed')
    mkdirSync(closed)
    chownSync(closed, 12345, 12345)
    chmodSync(closed, 0o700)
    expect((await startRefused({ dataDir: join(closed, 'data') })).message).toContain('is not readable by')
  })
})

async function query(url: string, text: string, values: unknown[] = []): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query(text, values)).rows
  } finally {
    await client.end()
  }
}

async function startRefused(options: Parameters<typeof startPostgres>[0]): Promise<EmbeddedPostgresError> {
  const outcome = await startPostgres(options).catch((error: unknown) => error)
  if (outcome instanceof EmbeddedPostgresError) return outcome
  throw new Error('the start was not refused', { cause: outcome })
}

/** A parent of its own, which prints the url or the refusal, and waits to be killed or interrupted. */
function startElsewhere(parent: { dataDir: string; path?: string; platform?: string; onInterrupt?: string }) {
  const program = `
    ${parent.platform === undefined ? '' : `Object.defineProperty(process, 'platform', { value: '${parent.platform}' })`}
    const { startPostgres } = await import('${new URL('./postgres.ts', import.meta.url).href}')
    const { default: pg } = await import('${import.meta.resolve('pg')}')
    const postgres = await startPostgres({ dataDir: '${parent.dataDir}' }).catch((error) => {
      console.log(error.message)
      process.exit(1)
    })
    const ask = async (text) => {
      const client = new pg.Client({ connectionString: postgres.url })
      await client.connect()
      return client.query(text).finally(() => client.end())
    }
    process.on('SIGINT', async () => {
      ${parent.onInterrupt ?? ''}
      await postgres.stop()
    })
    console.log(postgres.url)
  `
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    // As a shell starts a command: the head of a process group.
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...(parent.path === undefined ? {} : { PATH: parent.path }) },
  })
  const ended = once(child, 'exit')
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return {
    ended,
    line: async () => String((await lines.next()).value),
    kill: async () => {
      child.kill('SIGKILL')
      await ended
    },
    interruptGroup: () => process.kill(-(child.pid ?? Number.NaN), 'SIGINT'),
  }
}

/** Dropping from root needs a checkout that everyone may read. */
function nobodyCanRunPostgres(): boolean {
  const program = findPostgresPackage(scratch).program('postgres')
  return spawnSync('test', ['-x', program], { uid: 65534, gid: 65534 }).status === 0
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
