import { AggregatorRegistry, Counter, Gauge, Histogram, collectDefaultMetrics } from 'prom-client'
import type { Meter } from '../../gateway/index.ts'

const calls = new Counter({
  name: 'formulary_calls_total',
  help: 'Calls of models by operation, model, outcome and status.',
  labelNames: ['operation', 'model', 'outcome', 'status'],
})
const tokens = new Counter({
  name: 'formulary_tokens_total',
  help: 'Tokens settled.',
  labelNames: ['model', 'direction'],
})
const seconds = new Histogram({
  name: 'formulary_call_seconds',
  help: 'Time from the request to its settlement.',
  labelNames: ['operation'],
  buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120],
})
const firstByte = new Histogram({
  name: 'formulary_first_byte_seconds',
  help: 'Time the model host took to the first byte of its answer.',
  labelNames: ['operation'],
  buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
})

/** Counts calls for Prometheus. Labels are names of the catalog and codes of ours: no tenant, nothing a caller wrote. */
export const nodeMeter: Meter = {
  callEnded(call) {
    calls.inc({ operation: call.operation, model: call.model, outcome: call.outcome, status: call.status })
    seconds.observe({ operation: call.operation }, call.durationMs / 1000)
    if (call.firstByteMs !== undefined) firstByte.observe({ operation: call.operation }, call.firstByteMs / 1000)
    if (call.inputTokens > 0) tokens.inc({ model: call.model, direction: 'input' }, call.inputTokens)
    if (call.outputTokens > 0) tokens.inc({ model: call.model, direction: 'output' }, call.outputTokens)
  },
}

/** What is read when somebody asks for the figures. */
export interface Watched {
  ledgerWaiting(): number
  ledgerSpooled(): number
  callsOpen(): number
  tenantsKnown(): number
}

/** Adds what is read on demand and the process's own figures. Once per process: the registry is its own. */
export function watchProcess(watched: Watched): void {
  collectDefaultMetrics()
  // Making one lets a gateway process answer the supervisor, who adds up the figures of all.
  void new AggregatorRegistry()
  const gauge = (name: string, help: string, read: () => number) =>
    new Gauge({
      name,
      help,
      collect() {
        this.set(read())
      },
    })
  gauge('formulary_ledger_waiting', 'Ledger rows that wait for their commit.', () => watched.ledgerWaiting())
  gauge('formulary_ledger_spooled', 'Batches of the ledger that only this disk knows.', () => watched.ledgerSpooled())
  gauge('formulary_calls_open', 'Calls in flight.', () => watched.callsOpen())
  gauge('formulary_tenants_known', 'Tenants held in memory.', () => watched.tenantsKnown())
}
