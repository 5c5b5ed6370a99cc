import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmod, mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { StartError } from './start-error.ts'

/** Secrets of a development machine, made once and kept beside its data. */
const Secrets = z.object({
  ownerPassword: z.string(),
  appPassword: z.string(),
  keyPepper: z.string(),
  signingKey: z.string(),
  ownerToken: z.string(),
})
export type Secrets = z.infer<typeof Secrets>

export async function developmentSecrets(dataDir: string): Promise<Secrets> {
  // The embedded database may run as another user, who must be able to walk through.
  await mkdir(dataDir, { recursive: true, mode: 0o711 })
  const path = join(dataDir, 'secrets.json')
  const text = await readFile(path, 'utf8').catch(() => undefined)
  if (text !== undefined) {
    const kept = Secrets.safeParse(parseJson(text))
    if (kept.success) return kept.data
    throw new StartError(`${path} cannot be read: restore it, or remove the whole data directory to begin anew`)
  }
  const secret = () => randomBytes(32).toString('hex')
  const made: Secrets = {
    ownerPassword: secret(),
    appPassword: secret(),
    keyPepper: secret(),
    signingKey: secret(),
    ownerToken: `fml_owner_${secret()}`,
  }
  await writePrivately(path, made)
  return made
}

export const DevelopmentFacts = z.object({
  gateway: z.string(),
  admin: z.string(),
  modelHost: z.string(),
  ownerToken: z.string(),
  keys: z.record(z.string(), z.string()),
})
export type DevelopmentFacts = z.infer<typeof DevelopmentFacts>

/** What a developer needs to know of the running house; written by each start. */
export const writeDevelopmentFacts = (dataDir: string, facts: DevelopmentFacts): Promise<void> =>
  writePrivately(join(dataDir, 'dev.json'), facts)

/** What the last start made, to make it only once. */
export async function readMadeBefore(dataDir: string): Promise<Pick<DevelopmentFacts, 'keys' | 'ownerToken'>> {
  const text = await readFile(join(dataDir, 'dev.json'), 'utf8').catch(() => undefined)
  const facts = DevelopmentFacts.safeParse(parseJson(text ?? ''))
  return facts.success ? facts.data : { keys: {}, ownerToken: '' }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

async function writePrivately(path: string, value: object): Promise<void> {
  const draft = `${path}.new`
  await writeFile(draft, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600 })
  await chmod(draft, 0o600)
  await rename(draft, path)
}

/** The stand-in model host, as a process of its own: it speaks HTTP like a real one. */
export function startDemoHost(dataDir: string): Promise<{ url: string; stop(): Promise<void> }> {
  const main = fileURLToPath(new URL('../../../infra/model-host/main.ts', import.meta.url))
  const child = spawn(process.execPath, [main, '--port', '0', '--usage-log', join(dataDir, 'model-host-usage.jsonl')], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    // Ctrl-C is the supervisor's: the host stays until the last call has ended.
    detached: true,
  })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code) => reject(new StartError(`the stand-in model host ended with ${code}`)))
    child.on('message', (message) => {
      if (typeof message !== 'object' || message === null || !('url' in message)) return
      resolve({
        url: String(message.url),
        stop: () =>
          new Promise((done) => {
            child.once('exit', () => done())
            if (child.exitCode !== null || child.signalCode !== null) done()
            else child.kill('SIGTERM')
          }),
      })
    })
  })
}
