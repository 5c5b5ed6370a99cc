import { spreadMax, type Figures, type Latency } from './figures.ts'
import type { Machine } from './machine.ts'
import type { Scenario } from './scenarios.ts'
import { systemTitles } from './systems.ts'

/** A scenario's table, for people. */
export function formatScenario(scenario: Scenario, figures: readonly Figures[]): string {
  const columns = [...commonColumns, ...(scenario.streamed ? firstByteColumns : []), ...costColumns]
  const rows = [columns.map(({ title }) => title), ...figures.map((row) => columns.map(({ cell }) => cell(row)))]
  const widths = columns.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  const lines = rows.map((row) =>
    row
      .map((text, column) => (column === 0 ? text.padEnd(widths[0] ?? 0) : text.padStart(widths[column] ?? 0)))
      .join('  '),
  )
  return [`${scenario.title}  [${scenario.name}]`, ...lines.map((line) => `  ${line.trimEnd()}`)].join('\n')
}

interface Column {
  readonly title: string
  readonly cell: (row: Figures) => string
}

const part = (title: string, of: 'host' | 'nodeHttp' | 'undici'): Column => ({
  title,
  cell: ({ partOf }) => fixed(partOf[of], 2),
})

const latencyColumns = (title: string, pick: (row: Figures) => Latency): readonly Column[] => [
  { title: `${title} p50`, cell: (row) => fixed(pick(row).p50, 2) },
  { title: 'p99', cell: (row) => fixed(pick(row).p99, 2) },
  { title: 'p99.9', cell: (row) => fixed(pick(row).p999, 2) },
]

const commonColumns: readonly Column[] = [
  { title: '', cell: ({ system }) => systemTitles[system] },
  { title: 'calls/s', cell: ({ callsPerSecond }) => whole(callsPerSecond) },
  part('/(a)', 'host'),
  part('/(b)', 'nodeHttp'),
  part('/(c)', 'undici'),
  ...latencyColumns('ms', ({ totalMs }) => totalMs),
  ...latencyColumns('added', ({ addedMs }) => addedMs),
]

const firstByteColumns: readonly Column[] = [
  ...latencyColumns('1st byte', ({ firstByteMs }) => firstByteMs).slice(0, 2),
  ...latencyColumns('added', ({ addedFirstByteMs }) => addedFirstByteMs).slice(0, 2),
]

const costColumns: readonly Column[] = [
  { title: 'CPU µs/call', cell: ({ cpuMicrosPerCall }) => whole(cpuMicrosPerCall) },
  { title: 'database', cell: ({ databaseCpuMicrosPerCall }) => whole(databaseCpuMicrosPerCall) },
  { title: 'client busy', cell: ({ clientBusy }) => `${Math.round(clientBusy * 100)} %` },
  { title: 'repeats', cell: ({ spread }) => `±${Math.round(spread * 100)} %${spread > spreadMax ? ' !' : '  '}` },
]

const fixed = (value: number | undefined, digits: number): string =>
  value === undefined || Number.isNaN(value) ? '–' : value.toFixed(digits)

const whole = (value: number | undefined): string =>
  value === undefined || Number.isNaN(value) ? '–' : Math.round(value).toLocaleString('en-US')

export function formatMachine(machine: Machine): string {
  return [
    `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGib} GiB, ${machine.system}, load before ${machine.loadBefore.toFixed(2)}`,
    `Node ${machine.node}, undici ${machine.undici}, PostgreSQL ${machine.postgres}, 8 KB written and synced in ${machine.syncMs.toFixed(2)} ms`,
    `commit ${machine.commit}, ${machine.at}`,
  ].join('\n')
}

/** Whether the table may be believed. */
export function formatAgreement(all: readonly (readonly [Scenario, readonly Figures[]])[]): string {
  const apart = all.flatMap(([{ name }, figures]) =>
    figures.filter(({ spread }) => spread > spreadMax).map(({ system }) => `${name}: ${systemTitles[system]}`),
  )
  const cells = all.reduce((sum, [, figures]) => sum + figures.length, 0)
  const limit = `${spreadMax * 100} %`
  return apart.length === 0
    ? `repeats: all ${cells} agree within ${limit}`
    : `repeats: ${apart.length} of ${cells} do NOT agree within ${limit} (marked !): the machine was not quiet, or the slices are too short`
}

export const legend = `(a) the model host called directly, (b) a bare node:http pass-through, (c) a bare undici pass-through.
/(a) /(b) /(c): throughput as a part of theirs in the same round. added: more than (a), in ms. Closed loop: a slow answer
delays the next call of its connection, so the tails are those of callers who wait, not of arrivals.`
