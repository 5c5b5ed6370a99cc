import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import { expect, test } from 'vitest'
import { callersBehind } from './callers.ts'

const callers = callersBehind({ trusted: ['10.0.0.0/8', '192.0.2.1', '2001:db8::/32'], certificateHeader: undefined })

function addressOf(from: string | undefined, forwardedFor?: string): string | undefined {
  const socket = new Socket()
  Object.defineProperty(socket, 'remoteAddress', { value: from })
  const incoming = new IncomingMessage(socket)
  if (forwardedFor !== undefined) incoming.headers['x-forwarded-for'] = forwardedFor
  return callers.addressOf(incoming)
}

test.each([
  ['its own, whatever it says', '203.0.113.9', '198.51.100.1', '203.0.113.9'],
  ['the one that the proxy has seen', '10.1.2.3', '198.51.100.1', '198.51.100.1'],
  [
    'the last that no proxy has: the ones before it are the caller’s own words',
    '10.1.2.3',
    '1.1.1.1, 198.51.100.1, 192.0.2.1',
    '198.51.100.1',
  ],
  ['also in IPv6', '2001:db8::1', '2001:470::5', '2001:470::5'],
  ['also where an IPv4 proxy is written in IPv6', '::ffff:10.1.2.3', '198.51.100.1', '198.51.100.1'],
  ['the proxy’s when it says nothing that is an address', '10.1.2.3', 'unknown, _hidden', '10.1.2.3'],
  ['the proxy’s when it says nothing', '10.1.2.3', undefined, '10.1.2.3'],
])('an address is %s', (_, from, forwardedFor, address) => {
  expect(addressOf(from, forwardedFor)).toBe(address)
})
