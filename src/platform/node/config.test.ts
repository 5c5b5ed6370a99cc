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

test.each(['https://gateway.example/', 'https://gateway.example/v1', 'gateway.example', 'ftp://gateway.example'])(
  '%s is no public address',
  (PUBLIC_URL) => {
    expect(() => readConfig({ PUBLIC_URL })).toThrow('PUBLIC_URL is')
  },
)
