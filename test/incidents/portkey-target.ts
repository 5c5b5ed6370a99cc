import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { startModelHost } from '../../infra/model-host/model-host.ts'
import { startPortkey } from '../../infra/bench/portkey.ts'
import type { Target } from './target.ts'

const packagePath = 'node_modules/@portkey-ai/gateway'

/**
 * @portkey-ai/gateway from npm, installed in a folder of its own: one process that forwards. It has no tenants, no budgets,
 * no ledger and no database; a caller says with each request where it goes and with which credential.
 */
export async function openPortkey(folder: string): Promise<Target> {
  const host = await startModelHost({ knobs: { firstTokenMs: 0, chunkMs: 0 } })
  const output = join(mkdtempSync(join(tmpdir(), 'portkey-')), 'output')
  const outputFd = openSync(output, 'w')
  const { url, child } = await startPortkey(folder, { outputFd })
  const key = 'fml_live_a-key-that-only-its-owner-and-the-host-may-know'
  const config = (more: object) => ({
    'x-portkey-config': JSON.stringify({ provider: 'openai', custom_host: `${host.url}/v1`, ...more }),
  })
  const lacking = (): never => {
    throw new Error('@portkey-ai/gateway has no such function')
  }
  return {
    gateway: `@portkey-ai/gateway ${versionIn(folder)}`,
    abilities: new Set(['guardrails']),
    host,
    hostCredential: undefined,
    urls: [url],
    bodyBytesMax: 16 * 1024 * 1024,
    anybody: {
      key,
      headers: {
        authorization: `Bearer ${key}`,
        'x-portkey-provider': 'openai',
        'x-portkey-custom-host': `${host.url}/v1`,
      },
    },
    asCaller: (index) => ({ authorization: `Bearer ${key}-${index}` }),
    cached: config({ cache: { mode: 'simple' } }),
    threeAttempts: config({ retry: { attempts: 3 } }),
    // A check that asks a server at which nobody listens, and is told to deny what does not pass.
    brokenGuardrail: config({
      before_request_hooks: [
        {
          type: 'guardrail',
          id: 'broken',
          deny: true,
          checks: [{ id: 'default.webhook', parameters: { webhookURL: 'http://127.0.0.1:1/', timeout: 1_000 } }],
        },
      ],
    }),
    packageFolder: join(folder, packagePath),
    sinks: () => Promise.resolve(readFileSync(output, 'utf8')),

    newTenant: lacking,
    tryTerms: lacking,
    declareAgain: lacking,
    rotateKey: lacking,
    newKey: lacking,
    revokeKey: lacking,
    ledgerOf: lacking,
    budgetOf: lacking,
    start: lacking,
    startInProduction: lacking,
    whileDebitsWait: lacking,
    whileCountersAreLocked: lacking,
    whileLastMonthIsLocked: lacking,
    withDebitsBroken: lacking,
    withBudgetsBroken: lacking,
    rowsWrittenWhile: lacking,

    async stop() {
      await child.stop()
      await host.stop()
      closeSync(outputFd)
      rmSync(join(output, '..'), { recursive: true, force: true })
    },
  }
}

const Manifest = z.object({ version: z.string() })
const versionIn = (folder: string): string =>
  Manifest.parse(JSON.parse(readFileSync(join(folder, packagePath, 'package.json'), 'utf8'))).version
