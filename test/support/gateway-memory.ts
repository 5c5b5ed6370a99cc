import { z } from 'zod'
import { spawnGateway, type GatewayProcess } from './processes.ts'

/** A gateway process that tells what it holds. */
export interface WeighedGateway extends GatewayProcess {
  /** In MB: all of the process, and its heap after a collection. */
  weigh(): Promise<{ readonly rssMb: number; readonly heapMb: number }>
}

const Line = z.object({ rss: z.number(), heapUsed: z.number() })

export async function spawnWeighed(options: Parameters<typeof spawnGateway>[0]): Promise<WeighedGateway> {
  let told: (line: string) => void = () => {}
  const gateway = await spawnGateway({
    ...options,
    preload: new URL('tell-memory.ts', import.meta.url),
    log: (line) => told(line),
  })
  return {
    ...gateway,
    weigh: () =>
      new Promise((resolve) => {
        told = (line) => {
          const read = Line.safeParse(JSON.parse(line))
          if (read.success) resolve({ rssMb: read.data.rss / 2 ** 20, heapMb: read.data.heapUsed / 2 ** 20 })
        }
        gateway.tell('memory')
      }),
  }
}
