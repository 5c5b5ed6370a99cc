import { z } from 'zod'
import { readWebhookSecrets } from '../../billing/index.ts'
import { parsePeppers, type Peppers } from '../../identity/index.ts'

/** A setting that is missing or wrong: one line for the operator. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}

/** The bindings, variables and secrets of a Worker; beside them, the secrets of deployments by the names they declare. */
export interface Env {
  readonly HYPERDRIVE?: { readonly connectionString: string }
  readonly [name: string]: unknown
}

const seconds = z.coerce.number().min(1).max(3600)

const Settings = z.object({
  KEY_PEPPER: z.string(),
  /** The same as the other gateways', or documents that were signed here cannot be checked with their keys. */
  SIGNING_KEY: z.string().min(32, 'it is shorter than 32 characters'),
  /** Where the outside finds the Worker: the issuer of tokens. Without it there are none. */
  PUBLIC_URL: z
    .string()
    .refine(
      (text) => URL.canParse(text) && text.startsWith('https://') && new URL(text).origin === text,
      'it is no https origin',
    )
    .optional(),
  /** Without both of them nothing of Stripe runs here. */
  STRIPE_SECRET_KEY: z.string().min(1).optional(),
  STRIPE_WEBHOOK_SECRET: z
    .string()
    .refine((text) => readWebhookSecrets(text) !== undefined, 'it is empty: an empty secret accepts forged events')
    .optional(),
  STRIPE_API_BASE: z.url().optional(),
  /** A host of the zone where Cloudflare asks callers for their certificate (mTLS); without it there is none to see. */
  MTLS_URL: z
    .string()
    .refine(
      (text) => URL.canParse(text) && text.startsWith('https://') && new URL(text).origin === text,
      'it is no https origin',
    )
    .optional(),
  FIRST_BYTE_SECONDS: seconds.default(120),
  IDLE_SECONDS: seconds.default(60),
  /** A call shows that it lives four times in this time; when its isolate has died, what it held is free after it. */
  LEASE_SECONDS: seconds.default(120),
  BODY_BYTES_MAX: z.coerce.number().int().min(1024).max(104_857_600).default(16_777_216),
})

export interface Config extends Omit<z.infer<typeof Settings>, 'KEY_PEPPER'> {
  readonly peppers: Peppers
}

/**
 * Reads what does not change while an isolate lives.
 * @throws ConfigError naming the variable and what is wrong, without its value.
 */
export function readConfig(env: Env): Config {
  const parsed = Settings.safeParse(env)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    throw new ConfigError(`${String(issue?.path[0] ?? 'the environment')}: ${issue?.message ?? 'wrong'}`)
  }
  const { KEY_PEPPER, ...settings } = parsed.data
  // A Worker is always deployed: what development generates for itself must not reach it.
  for (const name of ['KEY_PEPPER', 'SIGNING_KEY'] as const)
    if (parsed.data[name].startsWith('development-')) throw new ConfigError(`${name} is a development default`)
  const peppers = parsePeppers(KEY_PEPPER)
  if (!peppers.ok) throw new ConfigError(peppers.error)
  return { ...settings, peppers: peppers.value }
}

/** @throws ConfigError when the binding is missing. */
export function databaseUrlOf(env: Env): string {
  const url = env.HYPERDRIVE?.connectionString
  if (url === undefined) throw new ConfigError('HYPERDRIVE is not bound')
  return url
}

/** The secret that a deployment names, when there is one. */
export function secretOf(env: Env, name: string | undefined): string | undefined {
  const secret = name === undefined ? undefined : env[name]
  return typeof secret === 'string' ? secret : undefined
}
