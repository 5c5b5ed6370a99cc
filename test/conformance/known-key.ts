import type { House } from '../support/house.ts'
import { until } from '../support/ledger.ts'

/**
 * A key of an application that the gateway knows. A process looks for an unknown key ten times a second at most, whoever
 * asks, so that a key made just after another one may be a stranger's for a moment.
 */
export async function knownKey(house: House, application: string): Promise<string> {
  const key = await house.key(application)
  const headers = { authorization: `Bearer ${key}` }
  await until(
    'the key is known',
    5_000,
    async () => (await fetch(`${house.url}/v1/models`, { headers })).status !== 401,
  )
  return key
}
