import { randomUUID } from 'node:crypto'
import type { DifferenceClass, Period } from '../../src/billing/index.ts'
import { requestName } from '../../src/kernel/index.ts'
import type { Expected } from './planted-month.ts'

/** A row of the ledger as it is inserted. */
export interface LedgerCall {
  readonly license: string
  readonly started_at: string
  readonly request_id: string
  readonly attempt: number
  readonly outcome: string
  readonly requests: number
  readonly input: number
  readonly output: number
  readonly charge: number
}

/** A line of a host's report. */
export interface HostCall {
  readonly request: string
  readonly at: string
  readonly model: string
  readonly version: string
  readonly input: number
  readonly output: number
  readonly tenant: string
}

export interface PlantedCalls {
  readonly ledger: readonly LedgerCall[]
  /** Of tenants whose month is closed already. */
  readonly late: readonly LedgerCall[]
  readonly host: readonly HostCall[]
  /** Of the report of the month after. */
  readonly hostNext: readonly HostCall[]
  readonly expected: ReadonlyMap<string, Expected>
}

type Kind = Extract<
  DifferenceClass,
  | 'missing_at_host'
  | 'missing_in_ledger'
  | 'quantity_differs'
  | 'duplicate'
  | 'late'
  | 'wrong_tenant'
  | 'wrong_model'
  | 'wrong_period'
  | 'clock_skew'
  | 'unbilled_stream_cut'
  | 'rate_differs'
>
const kinds: readonly Kind[] = [
  'missing_at_host',
  'missing_in_ledger',
  'quantity_differs',
  'duplicate',
  'late',
  'wrong_tenant',
  'wrong_model',
  'wrong_period',
  'clock_skew',
  'unbilled_stream_cut',
  'rate_differs',
]

/** So many calls of each kind of fault, each kind in its variants by turns. */
export function plantCalls(of: { period: Period; faultsPerKind: number; random: () => number }): PlantedCalls {
  const planted = {
    ledger: [] as LedgerCall[],
    late: [] as LedgerCall[],
    host: [] as HostCall[],
    hostNext: [] as HostCall[],
    expected: new Map<string, Expected>(),
  }
  const below = (n: number) => Math.floor(of.random() * n)
  const day = 86_400_000
  for (const kind of kinds)
    for (let variant = 0; variant < of.faultsPerKind; variant++) {
      const requestId = randomUUID()
      const at = of.period.start + 2 * day + below(26 * day)
      const [input, output] = [10 + below(5000), 10 + below(900)]
      const row: LedgerCall = {
        license: 'LIC-LAKESIDE',
        started_at: new Date(at).toISOString(),
        request_id: requestId,
        attempt: 1,
        outcome: 'answered',
        requests: 1,
        input,
        output,
        charge: priceOf(input, output),
      }
      const line: HostCall = {
        request: requestName(requestId),
        at: new Date(at + 300).toISOString(),
        model: 'scribe-1',
        version: '',
        input,
        output,
        tenant: '',
      }
      const isOdd = variant % 2 === 1
      const expect = (ledger: number, host: number) =>
        planted.expected.set(`call/${requestId}`, { class: kind, ledger, host })
      switch (kind) {
        case 'missing_at_host':
          planted.ledger.push(row)
          expect(1, 0)
          break
        case 'missing_in_ledger':
          planted.host.push(isOdd ? { ...line, request: `chatcmpl-${requestId}` } : { ...line, tenant: 'lakeside' })
          if (!isOdd) expect(0, 1)
          break
        case 'quantity_differs': {
          // More here, more there, or our process died and nobody knew.
          const here = [
            row,
            { ...row, output: output - 1, charge: priceOf(input, output - 1) },
            { ...row, attempt: 0, outcome: 'expired', output: output + 4096, charge: 0 },
          ][variant % 3]
          if (here !== undefined) planted.ledger.push(here)
          planted.host.push(variant % 3 === 0 ? { ...line, input: input - 1 } : line)
          expect(1, 1)
          break
        }
        case 'duplicate':
          planted.ledger.push(row)
          planted.host.push(line)
          if (isOdd) planted.ledger.push({ ...row, attempt: 2 })
          else planted.host.push(line)
          expect(isOdd ? 2 : 1, isOdd ? 1 : 2)
          break
        case 'late':
          planted.late.push({ ...row, license: isOdd ? 'LIC-PRAIRIE' : 'LIC-OWNER' })
          planted.host.push(line)
          expect(1, 1)
          break
        case 'wrong_tenant':
          planted.ledger.push(row)
          planted.host.push({ ...line, tenant: 'prairie' })
          expect(1, 1)
          break
        case 'wrong_model':
          planted.ledger.push(row)
          planted.host.push(isOdd ? { ...line, model: 'scribe-2' } : { ...line, version: '1.1.0' })
          expect(1, 1)
          break
        case 'wrong_period':
          // The last moments of the month before, or a report that puts the call into the month after.
          planted.ledger.push(
            isOdd ? { ...row, started_at: new Date(of.period.start - 1 - below(day)).toISOString() } : row,
          )
          if (isOdd) planted.host.push(line)
          else planted.hostNext.push(line)
          expect(1, 1)
          break
        case 'clock_skew':
          planted.ledger.push(row)
          planted.host.push({ ...line, at: new Date(at + (isOdd ? 3 : -3) * 3_600_000).toISOString() })
          expect(1, 1)
          break
        case 'unbilled_stream_cut':
          planted.ledger.push(
            isOdd
              ? { ...row, outcome: 'host_timeout', requests: 0, input: 0, output: 0, charge: 0 }
              : { ...row, outcome: 'client_left', output: output - 5, charge: priceOf(input, output - 5) },
          )
          planted.host.push(line)
          expect(1, 1)
          break
        case 'rate_differs':
          planted.ledger.push({ ...row, charge: isOdd ? row.charge * 2 : row.charge + 1 })
          planted.host.push(line)
          expect(1, 1)
          break
      }
    }
  return planted
}

/** At the list prices of the test plan. */
const priceOf = (input: number, output: number): number => input * 3_000_000 + output * 15_000_000
