import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'

export type Verdict = z.infer<typeof Verdict>
const Verdict = z.enum(['holds', 'does not hold', 'does not apply'])
const PortkeyRun = z.strictObject({ gateway: z.string(), verdicts: z.record(z.string(), Verdict) })

/** What the last run on another gateway found, by the name of the test. Written by that run. */
export type PortkeyRun = z.infer<typeof PortkeyRun>

export const portkeyRunFile = fileURLToPath(new URL('./portkey-run.json', import.meta.url))

export const readPortkeyRun = (): PortkeyRun => PortkeyRun.parse(JSON.parse(readFileSync(portkeyRunFile, 'utf8')))
