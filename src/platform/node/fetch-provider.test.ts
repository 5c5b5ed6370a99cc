import { createServer, type RequestListener, type Server } from 'node:http'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { guardedProviderFetch } from './fetch-provider.ts'
import { openPort } from './open-port.ts'

let server: Server
let port: number
let connections = 0
const development = guardedProviderFetch({ isDevelopment: true })
const production = guardedProviderFetch({ isDevelopment: false })

const answers: Readonly<Record<string, RequestListener>> = {
  '/good': (request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () =>
      response.writeHead(200, { 'content-type': 'application/json' }).end(
        JSON.stringify({
          method: request.method,
          body: Buffer.concat(parts).toString(),
          as: request.headers['x-as'],
        }),
      ),
    )
  },
  '/moved': (_request, response) => response.writeHead(302, { location: '/good' }).end(),
  '/broken': (_request, response) => response.writeHead(500).end('no'),
  '/large': (_request, response) => {
    for (let part = 0; part < 500; part++) response.write('x'.repeat(10_000))
    response.end()
  },
  '/silent': () => {},
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
  await development.close()
  await production.close()
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})

const ask = (by: typeof development, url: string, mayBeInside = false) =>
  by.fetchProvider(url, { method: 'GET', headers: {}, body: undefined, mayBeInside, signal: undefined })
const at = (path: string) => `http://127.0.0.1:${port}${path}`

test('a provider gets what it is sent, and its answer comes back', async () => {
  const sent = { method: 'POST', headers: { 'x-as': 'us' }, body: 'a=b', mayBeInside: false, signal: undefined }
  const answer = await development.fetchProvider(at('/good'), sent)
  expect(await answer.json()).toEqual({ method: 'POST', body: 'a=b', as: 'us' })
})

test('a redirect is an answer and is not followed', async () => {
  const answer = await ask(development, at('/moved'))
  expect([answer.status, await answer.text()]).toEqual([302, ''])
  expect((await ask(development, at('/broken'))).status).toBe(500)
})

test.each(['/large', '/torn', '/silent'])('%s is no answer', { timeout: 10_000 }, async (path) => {
  await expect(ask(development, at(path))).rejects.toMatchObject({ name: 'ProviderAway' })
})

test('in production a hospital’s provider is on the internet, by https: nobody else is even connected to', async () => {
  const before = connections
  for (const mayBeInside of [true, false])
    await expect(ask(production, at('/good'), mayBeInside)).rejects.toThrow('address_not_https')
  for (const host of ['127.0.0.1', '[::1]', '10.0.0.1', '169.254.169.254', '[::ffff:127.0.0.1]', '2130706433'])
    await expect(ask(production, `https://${host}:${port}/good`)).rejects.toThrow('address_not_public')
  await expect(ask(production, `https://localhost:${port}/good`)).rejects.toMatchObject({ name: 'ProviderAway' })
  expect(connections).toBe(before)
})

test('the owner’s own may be inside', async () => {
  const before = connections
  // There is no TLS at the other end; but it was connected to.
  await expect(ask(production, `https://127.0.0.1:${port}/good`, true)).rejects.toThrow('no answer')
  expect(connections).toBe(before + 1)
})
