import { readFileSync } from 'node:fs'

/** pino's numbers for warn, error and fatal. */
const loud = ['"level":40', '"level":50', '"level":60']

/**
 * What the gateways warned of, each kind once with how often: a gateway that counted its rates alone, or lost its leases,
 * has not done what is being measured.
 */
export function gatewayWarnings(logPath: string): readonly string[] {
  const log = readFileSync(logPath)
  const counts = new Map<string, number>()
  for (const level of loud)
    for (let at = log.indexOf(level); at >= 0; at = log.indexOf(level, at + level.length)) {
      const line = log.toString('utf8', log.lastIndexOf('\n', at) + 1, endOfLine(log, at))
      const event = /"event":"([^"]*)"/.exec(line)?.[1] ?? line.slice(0, 200)
      counts.set(event, (counts.get(event) ?? 0) + 1)
    }
  return [...counts].map(([event, count]) => `warning of a gateway, ${count} times: ${event}`)
}

function endOfLine(log: Buffer, at: number): number {
  const end = log.indexOf('\n', at)
  return end < 0 ? log.length : end
}
