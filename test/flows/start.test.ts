import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { ConfigError, readConfig } from '../../src/platform/node/config.ts'
import {
  endAllCommands,
  familyOf,
  formulary,
  hasProcesses,
  processesMentioning,
  project,
  runCommand,
  untilGone,
  type Command,
} from '../support/command.ts'
import { until } from '../support/ledger.ts'
import { cloneDatabase, type TestDatabase } from '../support/postgres.ts'

const startWithinMs = 90_000
/** A stop that waits for nobody: the database's own end is the longest part. */
const stopWithinMs = 20_000

const DevelopmentFacts = z.strictObject({
  gateway: z.url(),
  admin: z.url(),
  modelHost: z.url(),
  ownerToken: z.string().min(32),
  keys: z.record(z.string().regex(/^[a-z-]+\/[a-z-]+$/), z.string().startsWith('fml_live_')),
})
type DevelopmentFacts = z.infer<typeof DevelopmentFacts>
const UsagePage = z.object({ data: z.array(z.object({ request_id: z.string(), outcome: z.string() })) })

const folders: string[] = []
const newFolder = () => {
  const folder = mkdtempSync(join(tmpdir(), 'formulary-start-'))
  folders.push(folder)
  return folder
}
afterAll(() => {
  endAllCommands()
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

interface House extends Command {
  readonly facts: DevelopmentFacts
}

const start = (dataDir: string, environment: Readonly<Record<string, string>> = {}) =>
  runCommand(process.execPath, [formulary, 'start'], {
    environment: { DATA_DIR: dataDir, PORT: '0', ADMIN_PORT: '0', WORKERS: '2', LEASE_SECONDS: '2', ...environment },
  })

async function whenReady(command: Command, dataDir: string): Promise<House> {
  let isOver = false
  void command.ended.then(() => (isOver = true))
  await until(
    'the banner is there',
    startWithinMs,
    () => isOver || command.stdout().includes('Ctrl-C stops everything'),
  )
  if (isOver) throw new Error(`the house did not start: ${command.stderr()}`)
  return { ...command, facts: readFacts(dataDir) }
}

const readFacts = (dataDir: string) =>
  DevelopmentFacts.parse(JSON.parse(readFileSync(join(dataDir, 'dev.json'), 'utf8')))

async function endsWithin(command: Command, withinMs: number) {
  const family = familyOf(command.pid)
  return async () => {
    const ended = await Promise.race([
      command.ended,
      new Promise<never>((_, reject) => {
        setTimeout(
          () => reject(new Error(`still running after ${withinMs} ms:\n${command.stdout()}`)),
          withinMs,
        ).unref()
      }),
    ])
    await untilGone(family, 5_000)
    return ended
  }
}

/** Ends a house and sees that nothing of it is left. */
async function end(command: Command, how: (command: Command) => void, withinMs = stopWithinMs) {
  const whenGone = await endsWithin(command, withinMs)
  how(command)
  return whenGone()
}
const ctrlC = (command: Command) => command.interruptAll()

const ask = (facts: DevelopmentFacts, application: string, body: object = {}) =>
  fetch(`${facts.gateway}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${facts.keys[application]}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'clinical-assistant', messages: [{ role: 'user', content: 'hello' }], ...body }),
  })

async function usageOf(facts: DevelopmentFacts, application: string) {
  const answer = await fetch(`${facts.gateway}/v1/usage?limit=1000`, {
    headers: { authorization: `Bearer ${facts.keys[application]}` },
  })
  return UsagePage.parse(await answer.json()).data
}

/** An answer that takes two seconds, of which the first piece is here. */
async function longAnswer(facts: DevelopmentFacts) {
  await fetch(`${facts.modelHost}/_knobs`, { method: 'PUT', body: JSON.stringify({ chunks: 100, chunkMs: 20 }) })
  const response = await ask(facts, 'lakeside-health/ehr', { stream: true })
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
  const first = await reader?.read()
  return {
    requestId: response.headers.get('x-request-id') ?? '',
    async rest() {
      let text = first?.value ?? ''
      for (let part = await reader?.read(); part?.done === false; part = await reader?.read()) text += part.value
      return text
    },
  }
}

const lines = (text: string) => text.split('\n').filter((line) => line !== '')

describe.skipIf(!hasProcesses)('npm start', () => {
  const dataDir = newFolder()
  let house: House
  const seen: string[] = []
  beforeAll(async () => {
    house = await whenReady(start(dataDir), dataDir)
  }, startWithinMs)

  test('the printed curl works as it stands, streamed to its [DONE]', async () => {
    const printed = house.stdout()
    const url = /curl (http:\S+\/v1\/chat\/completions)/.exec(printed)?.[1] ?? ''
    const headers = [...printed.matchAll(/-H "([a-z-]+): ([^"]+)" \\\n/g)].map(
      ([, name = '', value = '']): [string, string] => [name, value],
    )
    const body = /-d '(\{.+\})'/.exec(printed)?.[1] ?? ''
    const response = await fetch(url, { method: 'POST', headers, body })
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toContain('text/event-stream')
    expect((await response.text()).endsWith('data: [DONE]\n\n')).toBe(true)
    seen.push(response.headers.get('x-request-id') ?? '')
  })

  test('the printed addresses answer, and the owner token is there', async () => {
    const { facts } = house
    for (const text of [facts.gateway, facts.admin, facts.modelHost, facts.ownerToken])
      expect(house.stdout()).toContain(text)
    const answers = await Promise.all(
      [`${facts.gateway}/readyz`, `${facts.gateway}/docs`, `${facts.admin}/readyz`, `${facts.admin}/metrics`].map(
        async (url) => (await fetch(url)).status,
      ),
    )
    expect(answers).toEqual([200, 200, 200, 200])
  })

  test('the owner token opens the console', async () => {
    const { admin, ownerToken } = house.facts
    const body = new URLSearchParams({ token: ownerToken })
    const answer = await fetch(`${admin}/sign-in`, { method: 'POST', body, redirect: 'manual' })
    const cookie = answer.headers.get('set-cookie')?.split(';')[0] ?? ''
    const page = await (await fetch(admin, { headers: { cookie } })).text()
    for (const words of ['Meridian Clinic', 'LIC-2026-0001', 'In force until July 1, 2028'])
      expect(page).toContain(words)
  })

  test('dev.json has a key of every application and is nobody else’s to read', () => {
    expect(statSync(join(dataDir, 'dev.json')).mode & 0o777).toBe(0o600)
    expect(statSync(join(dataDir, 'secrets.json')).mode & 0o777).toBe(0o600)
    expect(Object.keys(house.facts.keys).toSorted()).toEqual([
      'everyday-assistant/assistant',
      'lakeside-health/back-office',
      'lakeside-health/ehr',
      'lakeside-health/portal',
      'lakeside-health/predictors',
      'meridian-clinic/clinician-desk',
      'meridian-clinic/expert-bench',
      'prairie-rural/evaluation',
    ])
  })

  test.each([
    ['PORT', () => new URL(house.facts.gateway).port],
    ['ADMIN_PORT', () => new URL(house.facts.admin).port],
  ])('%s in use is one line, and nothing is left running', async (name, portOf) => {
    const port = portOf()
    const other = newFolder()
    const second = start(other, { [name]: port })
    const { status } = await end(second, () => {})
    expect(status).toBe(1)
    expect(lines(second.stderr())).toEqual([expect.stringContaining(`port ${port} on 127.0.0.1 is in use`)])
    expect(second.stdout()).toBe('')
    expect(existsSync(join(other, 'postgres'))).toBe(false)
    expect(processesMentioning(other)).toEqual([])
  })

  test('a second start in the same data directory is one line, and does not disturb the first', async () => {
    const second = start(dataDir)
    const { status } = await end(second, () => {})
    expect(status).toBe(1)
    expect(lines(second.stderr())).toEqual([expect.stringContaining('in use by another process')])
    expect(readFacts(dataDir)).toEqual(house.facts)
    expect((await ask(house.facts, 'lakeside-health/ehr')).status).toBe(200)
  })

  test('a killed gateway process is replaced on the same port, and calls go on', async () => {
    const workers = () => familyOf(house.pid).filter(({ commandLine }) => commandLine.includes('gateway-worker'))
    const before = workers()
    expect(before).toHaveLength(2)
    // One after the other, so that a port that was any free one is handed on.
    for (const { pid } of before) {
      process.kill(pid, 'SIGKILL')
      await until('another one has come and serves', 20_000, async () => {
        const others = workers().filter((worker) => worker.pid !== pid)
        return others.length === 2 && (await fetch(`${house.facts.admin}/metrics`)).ok
      })
      await until('calls are answered', 20_000, async () => {
        const answers = await Promise.all(
          Array.from({ length: 8 }, () =>
            ask(house.facts, 'lakeside-health/ehr').then(
              ({ status }) => status,
              () => 0,
            ),
          ),
        )
        return answers.every((status) => status === 200)
      })
    }
  })

  test('Ctrl-C lets a call in flight end whole, and ends everything', async () => {
    const answer = await longAnswer(house.facts)
    seen.push(answer.requestId)
    const { status } = await end(house, ctrlC)
    expect((await answer.rest()).endsWith('data: [DONE]\n\n')).toBe(true)
    expect(status).toBe(0)
    expect(house.stderr()).toBe('')
  })

  test('the next start has the same keys and the ledger of the one before', async () => {
    const { keys } = house.facts
    house = await whenReady(start(dataDir), dataDir)
    expect(house.facts.keys).toEqual(keys)
    const rows = await usageOf(house.facts, 'lakeside-health/ehr')
    for (const requestId of seen)
      expect(rows.filter((row) => row.request_id === requestId)).toEqual([
        { request_id: requestId, outcome: 'answered' },
      ])
  })

  test('an interrupt of the first process alone ends everything', async () => {
    const { status } = await end(house, (command) => command.kill('SIGINT'))
    expect(status).toBe(0)
    expect(house.stderr()).toBe('')
  })

  test('kill -9 of the first process leaves nothing behind, and the next start has what was committed', async () => {
    house = await whenReady(start(dataDir), dataDir)
    const answer = await ask(house.facts, 'lakeside-health/ehr')
    await answer.text()
    await end(house, (command) => command.kill('SIGKILL'))
    house = await whenReady(start(dataDir), dataDir)
    const rows = await usageOf(house.facts, 'lakeside-health/ehr')
    expect(rows.map((row) => row.request_id)).toContain(answer.headers.get('x-request-id'))
    expect((await ask(house.facts, 'lakeside-health/ehr')).status).toBe(200)
  })

  test('a model host that died does not hold up the end', async () => {
    const host = familyOf(house.pid).find(({ commandLine }) => commandLine.includes('model-host/main.ts'))
    // Never `kill(0)`: that is everything of this process' group, the test runner too.
    if (host === undefined) throw new Error('no model host runs')
    process.kill(host.pid, 'SIGKILL')
    await until('it is gone', 5_000, () => familyOf(host.pid).length === 0)
    expect((await ask(house.facts, 'lakeside-health/ehr')).status).toBe(503)
    expect((await end(house, ctrlC)).status).toBe(0)
  })

  test('through npm, which hands the Ctrl-C on, a call in flight ends whole', async () => {
    const npm = runCommand('npm', ['start'], {
      environment: { DATA_DIR: dataDir, PORT: '0', ADMIN_PORT: '0', WORKERS: '1' },
    })
    house = await whenReady(npm, dataDir)
    const answer = await longAnswer(house.facts)
    await end(house, ctrlC)
    expect((await answer.rest()).endsWith('data: [DONE]\n\n')).toBe(true)
  })

  test('when nobody reads its output any more it serves on, and still ends whole', async () => {
    house = await whenReady(start(dataDir), dataDir)
    house.hangUp()
    for (let turn = 0; turn < 4; turn++) {
      const answers = await Promise.all(Array.from({ length: 20 }, () => ask(house.facts, 'lakeside-health/ehr')))
      expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200))
      // The log is written every half second: each process meets the closed output.
      await new Promise((resolve) => setTimeout(resolve, 600))
    }
    const answer = await longAnswer(house.facts)
    expect(await end(house, ctrlC)).toEqual({ status: 0, signal: null })
    expect((await answer.rest()).endsWith('data: [DONE]\n\n')).toBe(true)
  })

  test('a second Ctrl-C does not wait for calls, and leaves nothing behind either', async () => {
    house = await whenReady(start(dataDir), dataDir)
    await fetch(`${house.facts.modelHost}/_knobs`, { method: 'PUT', body: JSON.stringify({ stallAfterChunks: 1 }) })
    const response = await ask(house.facts, 'lakeside-health/ehr', { stream: true })
    const cutOff = response.text().then(
      () => false,
      () => true,
    )
    const { status } = await end(house, (command) => {
      ctrlC(command)
      setTimeout(() => ctrlC(command), 1_000)
    })
    expect(status).toBe(130)
    expect(await cutOff).toBe(true)
  })

  test.each([100, 400, 1_000, 2_000])(
    'Ctrl-C %i ms into a first start leaves nothing behind',
    async (afterMs) => {
      const folder = newFolder()
      const first = start(folder)
      // Its moment is the point, whatever the machine has come to by then.
      await new Promise((resolve) => setTimeout(resolve, afterMs))
      const { status, signal } = await end(first, ctrlC)
      expect(status ?? signal).toSatisfy((how) => how === 130 || how === 'SIGINT' || how === 0)
      expect(first.stderr()).toBe('')
      // PostgreSQL's own commands end on their own when the one who started them is gone.
      await until('nothing of it is left', 5_000, () => processesMentioning(folder).length === 0)
    },
    startWithinMs,
  )
})

/** What NODE_ENV=production needs, none of it a default. */
const production = {
  NODE_ENV: 'production',
  DATABASE_URL: 'postgres://formulary_app:x@127.0.0.1:1/formulary',
  OWNER_TOKEN: '3a3c1bd24cbb65d7e1e55f29fbcbb0bd',
  KEY_PEPPER: '92c7f5b4dcaef7a41b0d63c3ec3dba3c',
  SIGNING_KEY: 'd6b1f1e6ec4cbda7b2ff7ac4dbd43f52',
}

type Wrong = readonly [what: string, environment: Record<string, string>, says: string]

const wrongSettings: readonly Wrong[] = [
  ...(['DATABASE_URL', 'OWNER_TOKEN', 'KEY_PEPPER', 'SIGNING_KEY'] as const).flatMap((name): Wrong[] => [
    [`production without ${name}`, { ...production, [name]: '' }, `${name} is not set`],
    [
      `production with a default ${name}`,
      { ...production, [name]: 'development-0123456789abcdef0123456789abcdef' },
      `${name} is a development default`,
    ],
  ]),
  ['production with a short OWNER_TOKEN', { ...production, OWNER_TOKEN: 'x' }, 'OWNER_TOKEN is shorter than 32'],
  ['production with a short SIGNING_KEY', { ...production, SIGNING_KEY: 'x' }, 'SIGNING_KEY is shorter than 32'],
  ['production with a short KEY_PEPPER', { ...production, KEY_PEPPER: 'x' }, 'KEY_PEPPER is shorter than 32'],
  [
    'production with an empty webhook secret',
    { ...production, STRIPE_WEBHOOK_SECRET: '' },
    'STRIPE_WEBHOOK_SECRET is empty',
  ],
  ['production with a stand-in host', { ...production, MODEL_HOST: 'demo' }, 'MODEL_HOST is demo'],
  ['PORT=abc', { PORT: 'abc' }, 'PORT is "abc": write a whole number from 0 to 65535'],
  ['PORT=65536', { PORT: '65536' }, 'PORT is "65536": write a whole number from 0 to 65535'],
  ['PORT=8e3', { PORT: '8e3' }, 'PORT is "8e3": write a whole number'],
  ['one port for both', { PORT: '18080', ADMIN_PORT: '18080' }, 'PORT and ADMIN_PORT are both 18080'],
  ['WORKERS=0', { WORKERS: '0' }, 'WORKERS is "0": write a whole number from 1 to 256'],
  ['MODEL_HOST=yes', { MODEL_HOST: 'yes' }, 'MODEL_HOST is "yes": write demo or off'],
  ['LOG_LEVEL=loud', { LOG_LEVEL: 'loud' }, 'LOG_LEVEL is "loud": write debug, info, warn, error or silent'],
]

test.each(wrongSettings)('%s: one line that names the setting and says what to write', (_what, environment, says) => {
  const read = () => readConfig(environment)
  expect(read).toThrow(ConfigError)
  expect(read).toThrow(says)
  expect(read).not.toThrow('\n')
})

test('production binds every address, trusts no stand-in, and starts with what it was given', () => {
  expect(readConfig(production)).toMatchObject({ HOST: '0.0.0.0', MODEL_HOST: 'off', PORT: 8080, ADMIN_PORT: 8081 })
  expect(readConfig({})).toMatchObject({ HOST: '127.0.0.1', MODEL_HOST: 'demo' })
})

const wrongStarts: readonly Wrong[] = [
  ['production without secrets', { NODE_ENV: 'production' }, 'DATABASE_URL is not set, and NODE_ENV is production'],
  ['production with an empty webhook secret', { ...production, STRIPE_WEBHOOK_SECRET: '' }, 'STRIPE_WEBHOOK_SECRET'],
  ['production with a database that is not there', production, 'the database cannot be reached'],
  ['PORT=abc', { PORT: 'abc' }, 'PORT is "abc"'],
  ['DATABASE_URL that is none', { DATABASE_URL: 'localhost' }, 'DATABASE_URL is not a URL'],
  ['a HOST that is not here', { HOST: '203.0.113.1', PORT: '18081' }, '203.0.113.1 is no address of this machine'],
  ['no declarations', { TENANTS_DIR: 'no-such-folder' }, 'there is no such folder'],
]

describe.skipIf(!hasProcesses)('what cannot start', () => {
  test.each(wrongStarts)(
    '%s: clear words on stderr, status 1, and nothing is left running',
    async (_what, environment, says) => {
      const dataDir = newFolder()
      const command = start(dataDir, environment)
      const { status } = await end(command, () => {}, startWithinMs)
      expect(processesMentioning(dataDir)).toEqual([])
      expect({ status, stdout: command.stdout() }).toEqual({ status: 1, stdout: '' })
      const [first = '', ...others] = lines(command.stderr())
      expect(first).toMatch(/^formulary: /)
      expect(command.stderr()).toContain(says)
      // Declarations are told with their file and what to do; everything else is one line.
      expect(others).toHaveLength(environment['TENANTS_DIR'] === undefined ? 0 : others.length)
      expect(command.stderr()).not.toMatch(/^\s+at /m)
    },
    startWithinMs,
  )
})

describe.skipIf(!hasProcesses)('in production', () => {
  let databases: TestDatabase
  beforeAll(async () => {
    databases = await cloneDatabase()
  })
  afterAll(() => databases.drop())

  const settings = () => ({
    ...production,
    DATABASE_URL: databases.appUrl,
    DATABASE_OWNER_URL: databases.ownerUrl,
    HOST: '127.0.0.1',
    LOG_LEVEL: 'error',
  })

  test('start makes nothing up: no secret, no key, no stand-in host, and of data only a name for its spool', async () => {
    const dataDir = join(newFolder(), 'none')
    const command = start(dataDir, settings())
    await until('the banner is there', startWithinMs, () => command.stdout().includes('Ctrl-C stops everything'))
    expect(command.stdout()).toContain('No keys are made here')
    expect(command.stdout()).not.toMatch(/fml_live_|owner token|model host/)
    expect(readdirSync(dataDir)).toEqual(['home'])
    expect(familyOf(command.pid).filter(({ commandLine }) => commandLine.includes('model-host'))).toEqual([])
    expect(await end(command, ctrlC)).toEqual({ status: 0, signal: null })
    expect(command.stderr()).toBe('')
  })

  test('serve says where it is in one line of JSON, and ends when it is asked to', async () => {
    const command = runCommand(process.execPath, [formulary, 'serve'], {
      environment: { ...settings(), PORT: '0', ADMIN_PORT: '0', WORKERS: '2' },
    })
    await until('it serves', startWithinMs, () => command.stdout().includes('\n'))
    const Served = z.strictObject({ gateway: z.int(), admin: z.int(), workers: z.literal(2) })
    const served = Served.parse(JSON.parse(command.stdout()))
    expect((await fetch(`http://127.0.0.1:${served.gateway}/readyz`)).status).toBe(200)
    const signIn = (token: string) =>
      fetch(`http://127.0.0.1:${served.admin}/sign-in`, {
        method: 'POST',
        body: new URLSearchParams({ token }),
        redirect: 'manual',
      })
    // What is in the environment opens no page; a token of a person does.
    expect((await signIn(production.OWNER_TOKEN)).status).toBe(403)
    const making = ['admin-token', 'create', 'Ada Moreno', '--role', 'owner-admin', '--json']
    const made = runCommand(process.execPath, [formulary, ...making], { environment: settings() })
    await end(made, () => {}, startWithinMs)
    const { token } = z.object({ token: z.string() }).parse(JSON.parse(made.stdout()))
    expect((await signIn(token)).headers.get('set-cookie')).toMatch(/^__Host-formulary-session=.*; Secure/)
    expect(await end(command, (running) => running.kill('SIGTERM'))).toEqual({ status: 0, signal: null })
    expect(command.stderr()).toBe('')
  })

  test('serve with a port in use is one line, and nothing is left running', async () => {
    const taken = createServer().listen(0, '127.0.0.1')
    await once(taken, 'listening')
    const address = taken.address()
    const port = typeof address === 'object' && address !== null ? String(address.port) : ''
    for (const name of ['PORT', 'ADMIN_PORT']) {
      const command = runCommand(process.execPath, [formulary, 'serve'], {
        environment: { ...settings(), PORT: '0', ADMIN_PORT: '0', WORKERS: '1', [name]: port },
      })
      const { status } = await end(command, () => {}, startWithinMs)
      expect({ status, stdout: command.stdout() }).toEqual({ status: 1, stdout: '' })
      expect(lines(command.stderr())).toEqual([expect.stringContaining(`port ${port} on 127.0.0.1 is in use`)])
    }
    taken.close()
  })
})

/** An account that owns nothing. */
const nobody = 65_534
const asNobody = (args: readonly string[]) => [
  '--reuid',
  `${nobody}`,
  '--regid',
  `${nobody}`,
  '--clear-groups',
  ...args,
]

describe('as an ordinary user', () => {
  const copy = newFolder()
  const isPossible =
    process.getuid?.() === 0 &&
    spawnSync('setpriv', asNobody([process.execPath, '--version'])).status === 0 &&
    spawnSync('setpriv', asNobody(['ls', join(project, 'node_modules', 'hono')])).status === 0
  if (!isPossible)
    console.log('not tried: a start as an ordinary user needs root, setpriv, and packages others can read')

  test.skipIf(!isPossible)(
    'the first start and its first call work, and Ctrl-C ends everything',
    async () => {
      for (const part of ['src', 'db', 'tenants', 'infra', 'package.json'])
        cpSync(join(project, part), join(copy, part), { recursive: true })
      symlinkSync(join(project, 'node_modules'), join(copy, 'node_modules'))
      spawnSync('chown', ['-R', `${nobody}:${nobody}`, copy])
      chmodSync(copy, 0o755)
      const command = runCommand('setpriv', asNobody([process.execPath, 'src/cli/formulary.ts', 'start']), {
        cwd: copy,
        environment: { PORT: '0', ADMIN_PORT: '0', WORKERS: '1', HOME: copy },
      })
      const house = await whenReady(command, join(copy, '.data'))
      expect((await ask(house.facts, 'lakeside-health/ehr')).status).toBe(200)
      expect(await end(house, ctrlC)).toEqual({ status: 0, signal: null })
      expect(house.stderr()).toBe('')
    },
    startWithinMs,
  )
})
