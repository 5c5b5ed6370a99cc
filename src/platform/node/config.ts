import { availableParallelism } from 'node:os'
import { z } from 'zod'

/** A setting that is missing or wrong: one line for the operator. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}

const port = z.coerce.number().int().min(0).max(65_535)
const seconds = (max: number) => z.coerce.number().min(1).max(max)

const Environment = z.object({
  NODE_ENV: z.string().default('development'),
  PORT: port.default(8080),
  ADMIN_PORT: port.default(8081),
  HOST: z.string().min(1).default('127.0.0.1'),
  DATABASE_URL: z.string().min(1).optional(),
  /** For migrations, when DATABASE_URL is the app role's. */
  DATABASE_OWNER_URL: z.string().min(1).optional(),
  DATA_DIR: z.string().min(1).default('.data'),
  TENANTS_DIR: z.string().min(1).default('tenants'),
  REDIS_URL: z.string().min(1).optional(),
  OWNER_TOKEN: z.string().min(1).optional(),
  MODEL_HOST: z.enum(['demo', 'off']).default('demo'),
  WORKERS: z.coerce.number().int().min(1).max(256).default(availableParallelism()),
  KEY_PEPPER: z.string().min(1).optional(),
  SIGNING_KEY: z.string().min(1).optional(),
  STRIPE_WEBHOOK_SECRET: z.string().optional(),
  LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
  /** An instance that is silent for so long is taken for dead. */
  LEASE_SECONDS: seconds(3600).default(15),
  /** How long a stop waits for calls in flight. */
  DRAIN_SECONDS: seconds(3600).default(30),
  FIRST_BYTE_SECONDS: seconds(3600).default(120),
  IDLE_SECONDS: seconds(3600).default(60),
  BODY_BYTES_MAX: z.coerce.number().int().min(1024).max(1_073_741_824).default(16 * 1024 * 1024),
})
export type Config = z.infer<typeof Environment>

/** The development defaults that must not reach production, by the beginning of their text. */
const developmentMark = 'development-'

/**
 * Reads the environment.
 * @throws ConfigError naming the variable, what is wrong, and what to write instead.
 */
export function readConfig(environment: NodeJS.ProcessEnv): Config {
  const given = Object.fromEntries(
    Object.keys(Environment.shape).flatMap((name) => {
      const value = environment[name]
      return value === undefined || (value === '' && name !== 'STRIPE_WEBHOOK_SECRET') ? [] : [[name, value]]
    }),
  )
  const parsed = Environment.safeParse(given)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    const name = String(issue?.path[0] ?? 'the environment')
    throw new ConfigError(`${name} is ${JSON.stringify(given[name])}: ${issue?.message ?? 'wrong'}`)
  }
  if (parsed.data.NODE_ENV === 'production') requireSecrets(parsed.data)
  return parsed.data
}

function requireSecrets(config: Config): void {
  for (const name of ['DATABASE_URL', 'OWNER_TOKEN', 'KEY_PEPPER', 'SIGNING_KEY'] as const) {
    const value = config[name]
    if (value === undefined) throw new ConfigError(`${name} is not set, and NODE_ENV is production: set it`)
    if (value.startsWith(developmentMark))
      throw new ConfigError(`${name} is a development default, and NODE_ENV is production: set a secret of your own`)
  }
  if (config.STRIPE_WEBHOOK_SECRET === '')
    throw new ConfigError('STRIPE_WEBHOOK_SECRET is empty: an empty secret accepts forged events. Set it or remove it')
  readPeppers(config.KEY_PEPPER ?? '')
}

export interface Peppers {
  readonly current: { readonly version: number; readonly secret: Uint8Array }
  find(version: number): Uint8Array | undefined
}

/**
 * Reads KEY_PEPPER: one secret, or several as `2:secret,1:secret`, newest first, so that a new one can be brought in
 * while keys under the old one still work.
 * @throws ConfigError when it is too short to be a secret.
 */
export function readPeppers(text: string): Peppers {
  const all = text.split(/,(?=\d{1,9}:)/).map((part) => {
    const match = /^(\d{1,9}):(.+)$/.exec(part)
    const [version, secret] = match === null ? [1, part] : [Number(match[1]), match[2] ?? '']
    if (secret.length < 32) throw new ConfigError('KEY_PEPPER is shorter than 32 characters: use 64 random hex digits')
    return { version, secret: new TextEncoder().encode(secret) }
  })
  const [current] = all
  if (current === undefined) throw new ConfigError('KEY_PEPPER is empty')
  const byVersion = new Map(all.map(({ version, secret }) => [version, secret]))
  return { current, find: (version) => byVersion.get(version) }
}
