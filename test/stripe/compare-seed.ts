import { isDeepStrictEqual } from 'node:util'
import pg from 'pg'
import type { Database } from '../../src/db/index.ts'
import { ledgerUnits, runSeed } from './run-seed.ts'

export interface Compared {
  readonly isEqual: boolean
  readonly crashes: number
  readonly faults: number
  readonly told: string
}

/** Runs a seed with faults and without, and holds both against each other and against the ledger. */
export async function compareSeed(database: Database, owner: pg.Pool, seed: number): Promise<Compared> {
  await empty(owner)
  const calm = await runSeed(database, seed, false)
  await empty(owner)
  const rough = await runSeed(database, seed, true)
  const ledger = await ledgerUnits(database)
  const sum = Object.values(ledger).reduce((total, units) => total + Number(units), 0)
  const invoiced = Object.values(rough.invoices).reduce((total, cents) => total + cents, 0)
  const isEqual =
    isDeepStrictEqual(rough.units, calm.units) &&
    isDeepStrictEqual(rough.invoices, calm.invoices) &&
    isDeepStrictEqual(rough.units, ledger) &&
    invoiced === sum
  const told = JSON.stringify({ seed, calm, rough, ledger })
  return { isEqual, crashes: rough.crashes, faults: rough.faults, told }
}

const empty = (owner: pg.Pool) => owner.query('truncate tenant, usage_hour, stripe_meter cascade')
