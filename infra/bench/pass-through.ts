import cluster from 'node:cluster'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

// The floor under any gateway: processes that share a port and pass everything on, in the same way as the gateway's. They
// know nobody, decide nothing and write nothing. They end with their parent.
const { values } = parseArgs({
  options: {
    client: { type: 'string', default: 'node-http' },
    host: { type: 'string', default: 'http://127.0.0.1:9090' },
    workers: { type: 'string', default: '1' },
  },
})

cluster.setupPrimary({
  exec: fileURLToPath(new URL('pass-through-worker.ts', import.meta.url)),
  args: [values.client, values.host],
})
process.on('SIGINT', () => {})
process.on('disconnect', () => process.exit(0))

const ports = await Promise.all(
  Array.from({ length: Number(values.workers) }, () => {
    const worker = cluster.fork()
    return new Promise<number>((resolve, reject) => {
      worker.once('listening', ({ port }) => resolve(port))
      worker.once('exit', (code) => {
        reject(new Error(`a pass-through ended with ${code}`))
        process.exit(1)
      })
    })
  }),
)
process.send?.({ port: ports[0] })
