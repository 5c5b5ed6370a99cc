// Loaded before a gateway: told `memory`, it collects its garbage and writes a line of what is left.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const collect: () => void = runInNewContext('gc')

process.on('message', (message) => {
  if (message !== 'memory') return
  collect()
  const { rss, heapUsed } = process.memoryUsage()
  process.stdout.write(`${JSON.stringify({ rss, heapUsed })}\n`)
})
