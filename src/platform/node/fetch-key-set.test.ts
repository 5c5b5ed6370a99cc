import { createServer, type RequestListener, type Server } from 'node:http'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { guardedFetch } from './fetch-key-set.ts'
import { openPort } from './open-port.ts'

let server: Server
let port: number
let connections = 0
const inside = guardedFetch({ isDevelopment: true })
const guarded = guardedFetch({ isDevelopment: false })

const answers: Readonly<Record<string, RequestListener>> = {
  '/good': (_request, response) => response.setHeader('cache-control', ['max-age=60', 'public']).end('{"keys":[]}'),
  '/moved': (_request, response) => response.writeHead(302, { location: '/good' }).end(),
  '/broken': (_request, response) => response.writeHead(500).end('no'),
  '/announced': (_request, response) => response.writeHead(200, { 'content-length': 5_000_000 }).end('x'),
  '/large': (_request, response) => {
    for (let part = 0; part < 500; part++) response.write('x'.repeat(10_000))
    response.end()
  },
  '/silent': () => {},
  '/slow': (_request, response) => {
    const drip = setInterval(() => response.write('x'), 500)
    response.on('close', () => clearInterval(drip))
  },
  '/torn': (_request, response) => {
    response.writeHead(200, { 'content-length': 1_000 }).write('x')
    response.destroy()
  },
}

beforeAll(async () => {
  server = createServer((request, response) => answers[request.url ?? '']?.(request, response))
  server.on('connection', () => connections++)
  port = await openPort(server, { host: '127.0.0.1', port: 0 })
})
afterAll(async () => {
  await inside.close()
  await guarded.close()
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})

const why = async (by: typeof inside, url: string) => {
  const fetched = await by.fetchKeySet(url)
  return fetched.ok ? fetched.value : fetched.error
}
const at = (path: string) => `http://127.0.0.1:${port}${path}`

test('a key set is fetched with what it says about keeping it (SMART 339)', async () => {
  expect(await why(inside, at('/good'))).toEqual({ text: '{"keys":[]}', cacheControl: 'max-age=60, public' })
})

test.each([
  ['/moved', 'redirected'],
  ['/broken', 'status_not_ok'],
  ['/announced', 'too_large'],
  ['/large', 'too_large'],
  ['/torn', 'unreachable'],
])('%s is %s', async (path, reason) => {
  expect(await why(inside, at(path))).toBe(reason)
})

test.each(['/silent', '/slow'])('%s is given up after five seconds', { timeout: 10_000 }, async (path) => {
  const began = performance.now()
  expect(await why(inside, at(path))).toBe('too_slow')
  expect(performance.now() - began).toBeLessThan(7_000)
})

test('in production only https is fetched, and nothing inside, by address or by name', async () => {
  const before = connections
  expect(await why(guarded, at('/good'))).toBe('address_not_https')
  for (const host of [
    '127.0.0.1',
    '[::1]',
    '10.0.0.1',
    '169.254.169.254',
    '[::ffff:127.0.0.1]',
    '2130706433',
    '0x7f.1',
    'localhost',
  ])
    expect([host, await why(guarded, `https://${host}:${port}/good`)]).toEqual([host, 'address_not_public'])
  expect(connections).toBe(before)
})

test('a name that nobody has is unreachable', async () => {
  expect(await why(guarded, 'https://nobody.invalid/jwks.json')).toBe('unreachable')
})
