import { parseArgs } from 'node:util'
import { z } from 'zod'
import { startStripeSimulator } from './simulator.ts'
import { createEndpoint } from './webhooks.ts'

/**
 * `npm run stripe:simulator -- [--port 12111] [--webhook http://127.0.0.1:8080/webhooks/stripe]`
 *
 * The simulator as a process, for whoever tries the month in finance: its time is the machine's, and what its webhook has to
 * tell is delivered every second. It prints the settings of a gateway that speaks to it. Nothing is kept when it stops.
 */
const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '12111' },
    webhook: { type: 'string', default: 'http://127.0.0.1:8080/webhooks/stripe' },
  },
})
const secondsNow = (): number => Math.floor(Date.now() / 1000)
const simulator = await startStripeSimulator({
  now: secondsNow(),
  port: z.coerce.number().int().min(0).max(65_535).parse(values.port),
})
const endpoint = createEndpoint(simulator.account, { url: values.webhook, enabled_events: { 0: '*' } })
const { secret } = z.object({ secret: z.string() }).parse(endpoint)
process.stdout.write(
  [
    'A Stripe account in memory is ready. In the terminals of npm start and npx formulary:',
    '',
    `  export STRIPE_API_BASE=http://${simulator.host}:${simulator.port} STRIPE_SECRET_KEY=sk_test_simulated`,
    `  export STRIPE_WEBHOOK_SECRET=${secret}`,
    '',
    'Ctrl-C stops it, and forgets everything.',
    '',
  ].join('\n'),
)

let delivering = false
const beat = setInterval(() => {
  simulator.advance(Math.max(0, secondsNow() - simulator.account.now))
  if (delivering || simulator.webhooks.waiting === 0) return
  delivering = true
  void simulator.webhooks.flush().finally(() => (delivering = false))
}, 1_000)

for (const name of ['SIGINT', 'SIGTERM'] as const)
  process.once(name, () => {
    clearInterval(beat)
    void simulator.stop().then(() => process.exit(0))
  })
