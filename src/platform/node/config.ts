import { availableParallelism } from 'node:os'
import { z } from 'zod'
import { readWebhookSecrets } from '../../billing/index.ts'
import { parsePeppers, type Peppers } from '../../identity/index.ts'
import { isNetwork } from './callers.ts'

/** A setting that is missing or wrong: one line for the operator. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}

const wholeNumber = (min: number, max: number) =>
  z
    .string()
    .refine((text) => /^\d{1,10}$/.test(text) && Number(text) >= min && Number(text) <= max, {
      error: `write a whole number from ${min} to ${max}`,
    })
    .transform(Number)
const oneOf = <const Words extends readonly [string, ...string[]]>(words: Words) =>
  z.enum(words, { error: `write ${words.slice(0, -1).join(', ')} or ${words.at(-1)}` })

const port = wholeNumber(0, 65_535)
const seconds = wholeNumber(1, 3600)
const filled = z.string().min(1)
const publicUrl = z
  .string()
  .refine((text) => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol) && new URL(text).origin === text, {
    error: 'write scheme and host as callers do, without a slash at the end, such as https://gateway.example',
  })

const networks = z
  .string()
  .transform((text) => text.split(',').map((network) => network.trim()))
  .refine((all) => all.every(isNetwork), { error: 'write addresses or networks, such as 10.0.0.0/8,192.0.2.7' })

/** Every setting, as text: what every operator meets, and then limits that have a good value. */
const Environment = z.object({
  NODE_ENV: z.string().default('development'),
  PORT: port.default(8080),
  ADMIN_PORT: port.default(8081),
  HOST: filled.default('127.0.0.1'),
  /** Where the outside finds the gateway: the issuer of tokens. Without it there are none in production. */
  PUBLIC_URL: publicUrl.optional(),
  /** A second port for the data plane, with TLS of its own: there a caller may show its certificate. */
  TLS_PORT: port.optional(),
  /** PEM files: the certificate with its chain, and its key. */
  TLS_CERTIFICATE: filled.optional(),
  TLS_KEY: filled.optional(),
  /** Where callers with certificates find the gateway: its TLS_PORT, or a proxy that asks for them. */
  MTLS_URL: publicUrl.refine((text) => text.startsWith('https:'), { error: 'write an https address' }).optional(),
  /** Whose headers are believed, with commas between them: the proxies before the gateway. */
  TRUSTED_PROXIES: networks.default([]),
  /** In which they hand on the certificate that a caller has shown to them, as RFC 9440 writes it: Client-Cert. */
  CLIENT_CERTIFICATE_HEADER: z
    .string()
    .regex(/^[A-Za-z0-9-]{1,64}$/, 'write the name of a header, such as Client-Cert')
    .optional(),
  /** Where people find the console. Without it nobody can be sent to an identity provider in production. */
  ADMIN_URL: publicUrl.optional(),
  DATABASE_URL: filled.optional(),
  /** For migrations, when DATABASE_URL is the app role's. */
  DATABASE_OWNER_URL: filled.optional(),
  DATA_DIR: filled.default('.data'),
  TENANTS_DIR: filled.default('tenants'),
  REDIS_URL: filled.optional(),
  OWNER_TOKEN: filled.optional(),
  MODEL_HOST: oneOf(['demo', 'off']).default('demo'),
  WORKERS: wholeNumber(1, 256).default(availableParallelism()),
  KEY_PEPPER: filled.optional(),
  SIGNING_KEY: filled.optional(),
  /** Without it nothing of Stripe runs. */
  STRIPE_SECRET_KEY: filled.optional(),
  /** Where Stripe is, for a simulator; absent, it is where its SDK thinks. */
  STRIPE_API_BASE: z.url({ error: 'write an address such as http://127.0.0.1:12111' }).optional(),
  /** What Stripe signs its events with; several, while one takes the place of another, with commas between them. */
  STRIPE_WEBHOOK_SECRET: z.string().optional(),
  LOG_LEVEL: oneOf(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
  /**
   * An instance that is silent for so long is taken for dead, unless its neighbors see sooner that its process is gone.
   * While the database is away, calls are served from what is leased for most of this time.
   */
  LEASE_SECONDS: seconds.default(420),
  /** What each gateway process may write to DATA_DIR/spool while the database is away. */
  SPOOL_BYTES_MAX: wholeNumber(0, 2 ** 40).default(2 ** 30),
  /** How long a stop waits for calls in flight. */
  DRAIN_SECONDS: seconds.default(30),
  FIRST_BYTE_SECONDS: seconds.default(120),
  IDLE_SECONDS: seconds.default(60),
  BODY_BYTES_MAX: wholeNumber(1024, 1_073_741_824).default(16 * 1024 * 1024),
})
export type Config = z.infer<typeof Environment>

/** The development defaults that must not reach production, by the beginning of their text. */
const developmentMark = 'development-'
const secretCharactersMin = 32

/**
 * Reads the environment.
 * @throws ConfigError naming the variable, what is wrong, and what to write instead.
 */
export function readConfig(environment: NodeJS.ProcessEnv): Config {
  const isProduction = environment['NODE_ENV'] === 'production'
  const given: Record<string, string> = isProduction ? { ...productionDefaults } : {}
  for (const name of Object.keys(Environment.shape)) {
    const value = environment[name]
    // An empty variable is one that is not set; an empty webhook secret is a mistake that would open a door.
    if (value !== undefined && (value !== '' || name === 'STRIPE_WEBHOOK_SECRET')) given[name] = value
  }
  const parsed = Environment.safeParse(given)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    const name = String(issue?.path[0] ?? 'the environment')
    throw new ConfigError(`${name} is ${JSON.stringify(given[name])}: ${issue?.message ?? 'wrong'}`)
  }
  const { PORT, ADMIN_PORT } = parsed.data
  if (PORT === ADMIN_PORT && PORT !== 0)
    throw new ConfigError(`PORT and ADMIN_PORT are both ${PORT}: give the control plane a port of its own`)
  if (
    parsed.data.STRIPE_WEBHOOK_SECRET !== undefined &&
    readWebhookSecrets(parsed.data.STRIPE_WEBHOOK_SECRET) === undefined
  )
    throw new ConfigError('STRIPE_WEBHOOK_SECRET is empty: an empty secret accepts forged events. Set it or remove it')
  requireWhole(parsed.data)
  if (isProduction) requireSecrets(parsed.data)
  return parsed.data
}

/** Where production differs: reachable from other machines, and nothing that only stands in for something. */
const productionDefaults = { HOST: '0.0.0.0', MODEL_HOST: 'off' }

/** Settings of mutual TLS that are nothing without each other. */
function requireWhole(config: Config): void {
  const isOn = config.TLS_PORT !== undefined
  for (const name of ['TLS_CERTIFICATE', 'TLS_KEY'] as const) {
    if (isOn && config[name] === undefined) throw new ConfigError(`TLS_PORT is set, and ${name} is not: set it`)
    if (!isOn && config[name] !== undefined) throw new ConfigError(`${name} is set, and TLS_PORT is not: set it`)
  }
  if (config.CLIENT_CERTIFICATE_HEADER === undefined) return
  if (config.TRUSTED_PROXIES.length === 0)
    throw new ConfigError('CLIENT_CERTIFICATE_HEADER is set, and TRUSTED_PROXIES is not: say who may send that header')
  if (config.MTLS_URL === undefined)
    throw new ConfigError('CLIENT_CERTIFICATE_HEADER is set, and MTLS_URL is not: say where callers show certificates')
}

function requireSecrets(config: Config): void {
  for (const name of ['DATABASE_URL', 'OWNER_TOKEN', 'KEY_PEPPER', 'SIGNING_KEY'] as const) {
    const value = config[name]
    if (value === undefined) throw new ConfigError(`${name} is not set, and NODE_ENV is production: set it`)
    if (value.startsWith(developmentMark))
      throw new ConfigError(`${name} is a development default, and NODE_ENV is production: set a secret of your own`)
  }
  for (const name of ['OWNER_TOKEN', 'SIGNING_KEY'] as const)
    if ((config[name] ?? '').length < secretCharactersMin)
      throw new ConfigError(`${name} is shorter than ${secretCharactersMin} characters: use 64 random hex digits`)
  if (config.PUBLIC_URL?.startsWith('http:') === true)
    throw new ConfigError('PUBLIC_URL begins with http, and NODE_ENV is production: tokens travel over https only')
  if (config.ADMIN_URL?.startsWith('http:') === true)
    throw new ConfigError('ADMIN_URL begins with http, and NODE_ENV is production: sessions travel over https only')
  if (config.MODEL_HOST === 'demo')
    throw new ConfigError('MODEL_HOST is demo, which only stands in for a model, and NODE_ENV is production: remove it')
  readPeppers(config.KEY_PEPPER ?? '')
}

/** @throws ConfigError when KEY_PEPPER is too short to be a secret. */
export function readPeppers(text: string): Peppers {
  const peppers = parsePeppers(text)
  if (!peppers.ok) throw new ConfigError(peppers.error)
  return peppers.value
}
