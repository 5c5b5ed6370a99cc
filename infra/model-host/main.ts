import { parseArgs } from 'node:util'
import { z } from 'zod'
import { defaultKnobs, parseJson, turnKnobs } from './knobs.ts'
import { startModelHost } from './model-host.ts'

/**
 * `node infra/model-host/main.ts [--host 127.0.0.1] [--port 0] [--usage-log file] [--knobs json]`
 *
 * Spawned with an IPC channel, it sends `{ url }`, takes `{ knobs: {…} }` or `{ knobs: null }` (reset), and does not
 * outlive its parent.
 */
const message = z.object({ knobs: z.record(z.string(), z.unknown()).nullable() })

const { values } = parseArgs({
  options: {
    host: { type: 'string', default: '127.0.0.1' },
    port: { type: 'string', default: '9090' },
    'usage-log': { type: 'string' },
    knobs: { type: 'string', default: '{}' },
  },
})
const usageLog = values['usage-log']
const knobs = turnKnobs(defaultKnobs, parseJson(values.knobs))
if (!knobs.ok) {
  process.stderr.write(`--knobs: ${knobs.message}\n`)
  process.exit(2)
}
const host = await startModelHost({
  host: values.host,
  port: z.coerce.number().int().min(0).max(65_535).parse(values.port),
  knobs: knobs.knobs,
  ...(usageLog === undefined ? {} : { usageLog }),
})
process.stdout.write(`model host listening on ${host.url}\n`)

process.on('message', (received) => {
  const read = message.safeParse(received)
  if (!read.success) return
  if (read.data.knobs === null) return host.resetKnobs()
  const turned = turnKnobs(host.knobs(), read.data.knobs)
  if (turned.ok) host.setKnobs(turned.knobs)
  else process.send?.({ error: turned.message })
})
process.send?.({ url: host.url })

let stopping = false
function stop(): void {
  if (stopping) return
  stopping = true
  void host.stop().then(() => process.exit(0))
}
process.on('SIGINT', stop)
process.on('SIGTERM', stop)
process.on('disconnect', stop)
