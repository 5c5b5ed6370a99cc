import { createClient } from 'redis'

/** Connects to the shared store of the rates. While it is away, commands fail at once and rates are counted alone. */
export async function connectRedis(url: string): Promise<{ client: unknown; close(): Promise<void> }> {
  const client = createClient({ url, disableOfflineQueue: true, socket: { connectTimeout: 2_000 } })
  // Each failed attempt to connect again is an error event; without a listener it would end the process.
  client.on('error', () => {})
  await client.connect()
  return {
    client,
    close: async () => {
      await client.close()
    },
  }
}
