import { randomBytes } from 'node:crypto'
import { gatewayOrders } from './gateway-process.ts'
import { textIn, type Ground } from './ground.ts'
import { startPortkey } from './portkey.ts'
import { plainEnvironment, startChild, type Child } from './start-child.ts'

/** What is measured. The letters are those of the tables. */
export const systemTitles = {
  host: '(a) model host',
  nodeHttp: '(b) node:http',
  undici: '(c) undici',
  formulary: 'Formulary',
  portkey: 'Portkey, ungoverned',
} as const
export type SystemName = keyof typeof systemTitles

/** One system with so many processes behind one port. */
export interface System {
  readonly name: SystemName
  readonly port: number
  /** The process over all of its own. */
  readonly pid: number
  /** Lines that its requests have beyond everybody's. */
  readonly headers: Readonly<Record<string, string>>
  stop(): Promise<void>
}

/** The systems to compare, in the order of the table. */
export async function startSystems(
  ground: Ground,
  options: { workers: number; portkey: string | undefined },
): Promise<readonly System[]> {
  const { workers } = options
  const started: System[] = []
  try {
    started.push({ ...plain('host', ground.hostUrl, ground.hostPid), stop: async () => {} })
    started.push(await startPassThrough(ground, 'nodeHttp', workers))
    started.push(await startPassThrough(ground, 'undici', workers))
    started.push(await startGateway(ground, { workers, environment: {} }))
    // It is one process, whatever it is told.
    if (options.portkey !== undefined && workers === 1) {
      const { url, child } = await startPortkey(options.portkey)
      const headers = { 'x-portkey-provider': 'openai', 'x-portkey-custom-host': `${ground.hostUrl}/v1` }
      started.push({ ...plain('portkey', url, child.pid), headers, stop: () => child.stop() })
    }
    return started
  } catch (error) {
    await stopSystems(started)
    throw error
  }
}

export async function stopSystems(systems: readonly System[]): Promise<void> {
  for (const system of systems.toReversed()) await system.stop()
}

async function startPassThrough(ground: Ground, name: 'nodeHttp' | 'undici', workers: number): Promise<System> {
  const client = name === 'undici' ? 'undici' : 'node-http'
  const args = ['--client', client, '--host', ground.hostUrl, '--workers', String(workers)]
  return systemOf(name, await startChild('pass-through.ts', { args }))
}

/**
 * The gateway as in production: every secret set, its log written, its own supervisor. `environment` is added to what the
 * supervisor and its workers get.
 */
export async function startGateway(
  ground: Ground,
  options: { workers: number; environment: NodeJS.ProcessEnv },
): Promise<System> {
  const environment = plainEnvironment({
    NODE_ENV: 'production',
    PORT: '0',
    WORKERS: String(options.workers),
    DATABASE_URL: ground.appUrl,
    DATA_DIR: ground.dataDir,
    KEY_PEPPER: ground.keyPepper,
    OWNER_TOKEN: secret(),
    SIGNING_KEY: secret(),
    [gatewayOrders]: JSON.stringify({ databaseUrl: ground.appUrl, keyPepper: ground.keyPepper }),
    ...options.environment,
  })
  return systemOf('formulary', await startChild('gateway-process.ts', { environment, outputFd: ground.logFd }))
}

const secret = (): string => randomBytes(32).toString('hex')

const systemOf = (name: SystemName, child: Child): System => ({
  ...plain(name, `http://127.0.0.1:${textIn(child.ready, 'port')}`, child.pid),
  stop: () => child.stop(),
})

const plain = (name: SystemName, url: string, pid: number) => ({
  name,
  port: Number(new URL(url).port),
  pid,
  headers: {},
})
