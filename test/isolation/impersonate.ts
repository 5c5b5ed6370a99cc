import { crc32 } from 'node:zlib'
import { mintApiKey } from '../../src/identity/index.ts'
import { licenseOf } from './declared-world.ts'
import { keyIdOf, type World } from './world.ts'

/** A key of our own form with the right checksum, made of one byte; nobody has it. */
export const keyFromByte = (byte: number): string => mintApiKey(new Uint8Array(42).fill(byte)).text.reveal()

export const mistyped = (key: string): string => key.slice(0, -1) + (key.endsWith('A') ? 'B' : 'A')

/** The secret of another key under this key's id, with the checksum that belongs to both. */
export function withWrongSecret(key: string): string {
  const secret = keyFromByte(2).slice(-49, -6)
  return withChecksum(`fml_live_${keyIdOf(key)}_${secret}`)
}

/** CRC-32 in six characters of base 62, as our own keys end, for texts that are no key otherwise. */
export function withChecksum(body: string): string {
  const digits = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
  let rest = crc32(body)
  let checksum = ''
  for (let i = 0; i < 6; i++, rest = Math.floor(rest / 62)) checksum = (digits[rest % 62] ?? '0') + checksum
  return body + checksum
}

/** Ways in which gateways let a header say who is calling. None of them is read here. */
export const identityHeaders = (world: World, tenant: 'mercy' | 'neighbor'): Readonly<Record<string, string>> => ({
  ...each(tenantHeaders, world.tenantId(tenant)),
  ...each(userHeaders, 'ward'),
  ...each(requestIdHeaders, world.requestId(tenant)),
  ...keyHeaders(world.key(tenant)),
  'formulary-license': licenseOf(tenant),
  'formulary-audience': 'expert',
  'formulary-scopes': 'chat embeddings infer',
  'x-original-url': '/v1/usage',
  'x-rewrite-url': '/v1/usage',
  'x-http-method-override': 'GET',
  'x-forwarded-for': '127.0.0.1',
  'x-real-ip': '127.0.0.1',
  forwarded: 'for=127.0.0.1',
})

export const tenantHeaders = [
  'x-tenant',
  'x-tenant-id',
  'x-org-id',
  'formulary-tenant',
  'formulary-tenant-id',
  'x-formulary-tenant',
]
export const userHeaders = [
  'formulary-application',
  'x-formulary-application',
  'formulary-principal',
  'remote-user',
  'x-remote-user',
  'x-user-id',
  'x-forwarded-user',
  'x-forwarded-email',
  'x-authenticated-user',
  'x-auth-request-user',
  'x-goog-authenticated-user-id',
  'x-ms-client-principal-name',
  'x-consumer-username',
  'openai-organization',
  'openai-project',
]
const requestIdHeaders = ['x-request-id', 'formulary-request-id', 'x-correlation-id']

/** A key where no key belongs. */
export const keyHeaders = (key: string): Readonly<Record<string, string>> => ({
  ...each(['x-api-key', 'api-key', 'x-auth-token', 'x-access-token', 'x-goog-api-key', 'x-amzn-oidc-accesstoken'], key),
  ...each(['proxy-authorization', 'x-forwarded-authorization', 'x-authorization'], `Bearer ${key}`),
  cookie: `authorization=Bearer ${key}; session=${key}`,
})

/** As members of a body or of a query. */
export const identityFields = (world: World, tenant: 'mercy' | 'neighbor'): Readonly<Record<string, string>> => ({
  tenant,
  tenant_id: world.tenantId(tenant),
  license: licenseOf(tenant),
  application: 'ward',
  key_id: keyIdOf(world.key(tenant)),
  request_id: world.requestId(tenant),
})

/** Ways in which gateways let a caller choose where its call goes. */
export const hostHeaders = (url: string): Readonly<Record<string, string>> => ({
  ...each(
    [
      'x-upstream',
      'x-upstream-url',
      'x-target-url',
      'x-base-url',
      'x-api-base',
      'openai-base-url',
      'x-portkey-custom-host',
      'x-litellm-api-base',
      'helicone-target-url',
      'helicone-openai-api-base',
      'cf-aig-custom-host',
      'formulary-upstream',
      'formulary-deployment',
      'x-original-url',
      'x-rewrite-url',
      'referer',
      'origin',
    ],
    url,
  ),
  ...each(['x-forwarded-host', 'x-host', 'x-original-host', 'x-envoy-original-dst-host'], new URL(url).host),
  'formulary-region': 'eu-west',
  'formulary-attempt': '7',
  // The stand-in host obeys this one, from whoever it comes.
  'x-host-knobs': '{"status":500}',
})

export const hostFields = (url: string): Readonly<Record<string, unknown>> => ({
  ...each(
    ['base_url', 'api_base', 'api_url', 'url', 'host', 'endpoint', 'target', 'upstream', 'proxy', 'custom_host'],
    url,
  ),
  deployment: { url },
  provider: { base_url: url, only: [url] },
  extra_headers: { 'x-upstream': url },
})

const each = (names: readonly string[], value: string): Readonly<Record<string, string>> =>
  Object.fromEntries(names.map((name) => [name, value]))
