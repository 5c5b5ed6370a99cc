import { expect, test } from 'vitest'
import { networkOf } from './ip-address.ts'
import { RefusedAddresses, refusedMax } from './refused-addresses.ts'

function after(times: number, address: string): RefusedAddresses {
  const refused = new RefusedAddresses()
  for (let time = 0; time < times; time++) refused.note(address, 0)
  return refused
}

test('a network is over its limit from the thousandth refusal on, until its minute is over', () => {
  expect(after(refusedMax - 1, '192.0.2.1').isOver('192.0.2.1', 0)).toBe(false)
  const over = after(refusedMax, '192.0.2.1')
  expect([over.isOver('192.0.2.1', 59_999), over.isOver('192.0.2.1', 60_000)]).toEqual([true, false])
  expect(over.isOver('192.0.2.2', 0)).toBe(false)
  over.note('192.0.2.1', 60_000)
  expect(over.isOver('192.0.2.1', 60_000)).toBe(false)
})

test('whose address is not known is never over it', () => {
  const refused = new RefusedAddresses()
  for (let time = 0; time <= refusedMax; time++) refused.note(undefined, 0)
  expect([refused.isOver(undefined, 0), refused.size]).toEqual([false, 0])
})

test.each([
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:db8:1:2::1', '2001:db8:1:2::/64'],
  ['::1', '0:0:0:0::/64'],
  ['::ffff:192.0.2.7', '192.0.2.7'],
  ['::ffff:c000:207', '192.0.2.7'],
  ['192.0.2.7', '192.0.2.7'],
])('%s is of %s', (address, network) => {
  expect(networkOf(address)).toBe(network)
})

test('a caller that takes another address of its /64 each time is one', () => {
  const refused = new RefusedAddresses()
  for (let time = 0; time < refusedMax; time++) refused.note(`2001:db8:1:2::${time.toString(16)}`, 0)
  expect(refused.isOver('2001:db8:1:2:ffff::', 0)).toBe(true)
})

test('a million networks take the memory of ten thousand', () => {
  const refused = new RefusedAddresses()
  for (let network = 0; network < 1_000_000; network++)
    refused.note(`10.${network >> 16}.${(network >> 8) & 255}.${network & 255}`, 0)
  expect(refused.size).toBe(10_000)
})
