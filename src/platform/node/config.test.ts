import { expect, test } from 'vitest'
import { readConfig } from './config.ts'

const secret = 'a secret of 64 hexadecimal digits stands here 0123456789abcdef'
const production = {
  NODE_ENV: 'production',
  DATABASE_URL: 'postgres://given.example/formulary',
  OWNER_TOKEN: secret,
  KEY_PEPPER: secret,
  SIGNING_KEY: secret,
}

test('production takes no public address of http, and development does (SMART 231)', () => {
  const PUBLIC_URL = 'http://gateway.example'
  expect(() => readConfig({ ...production, PUBLIC_URL })).toThrow('PUBLIC_URL begins with http')
  expect(readConfig({ PUBLIC_URL }).PUBLIC_URL).toBe(PUBLIC_URL)
  expect(readConfig({ ...production, PUBLIC_URL: 'https://gateway.example' }).PUBLIC_URL).toBe(
    'https://gateway.example',
  )
})

test.each([
  [{ TLS_PORT: '8443' }, 'TLS_CERTIFICATE is not: set it'],
  [{ TLS_PORT: '8443', TLS_CERTIFICATE: 'a.pem' }, 'TLS_KEY is not: set it'],
  [{ TLS_KEY: 'a.pem' }, 'TLS_PORT is not: set it'],
  [{ CLIENT_CERTIFICATE_HEADER: 'Client-Cert' }, 'TRUSTED_PROXIES is not'],
  [{ CLIENT_CERTIFICATE_HEADER: 'Client-Cert', TRUSTED_PROXIES: '10.0.0.0/8' }, 'MTLS_URL is not'],
  [{ TRUSTED_PROXIES: '10.0.0.0/33' }, 'write addresses or networks'],
  [{ TRUSTED_PROXIES: 'proxy.example' }, 'write addresses or networks'],
  [{ MTLS_URL: 'http://gateway.example' }, 'write an https address'],
])('mutual TLS by halves is refused: %j', (environment, told) => {
  expect(() => readConfig(environment)).toThrow(told)
})

test.each(['https://gateway.example/', 'https://gateway.example/v1', 'gateway.example', 'ftp://gateway.example'])(
  '%s is no public address',
  (PUBLIC_URL) => {
    expect(() => readConfig({ PUBLIC_URL })).toThrow('PUBLIC_URL is')
  },
)
