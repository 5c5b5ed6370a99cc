import { OpenAPIHono } from '@hono/zod-openapi'
import { expect, test } from 'vitest'
import { followedTransport } from './transport.ts'

const transport = followedTransport({ defer: () => {} })
const digest = '03'.repeat(32)

/** What the transport sees of a request, of which Cloudflare says `cf`. */
async function seen(cf: unknown, headers: Record<string, string> = {}): Promise<string> {
  const app = new OpenAPIHono()
  app.get('/', (c) => c.text(`${transport.certificate(c)} ${transport.address(c)}`))
  const request = new Request('https://gateway.example/', { headers })
  return (await app.fetch(Object.assign(request, { cf }))).text()
}

test('a caller’s certificate is what Cloudflare says of the connection, and no header', async () => {
  const tlsClientAuth = { certPresented: '1', certFingerprintSHA256: digest }
  expect(await seen({ tlsClientAuth })).toBe(`${Buffer.from(digest, 'hex').toString('base64url')} undefined`)
  expect(await seen({ tlsClientAuth: { ...tlsClientAuth, certPresented: '0' } })).toBe('undefined undefined')
  expect(await seen({ tlsClientAuth: { certPresented: '1', certFingerprintSHA256: '' } })).toBe('undefined undefined')
  expect(await seen(undefined, { 'client-cert': ':AAAA:', 'cf-tls': digest })).toBe('undefined undefined')
})

test('a caller’s address is the one that Cloudflare says', async () => {
  expect(await seen({}, { 'cf-connecting-ip': '192.0.2.7', 'x-forwarded-for': '198.51.100.1' })).toBe(
    'undefined 192.0.2.7',
  )
})
