import { expect, test } from 'vitest'
import { isAddress, isPublicAddress } from './guard-address.ts'

test.each([
  '8.8.8.8',
  '1.1.1.1',
  '93.184.216.34',
  '172.15.255.255',
  '172.32.0.0',
  '2606:4700::1111',
  '2a00:1450:4001:82a::200e',
  '[2606:4700::1111]',
])('%s is out there', (address) => {
  expect([isAddress(address), isPublicAddress(address)]).toEqual([true, true])
})

test.each([
  '0.0.0.0',
  '10.0.0.1',
  '100.64.0.1',
  '127.0.0.1',
  '127.255.255.255',
  '169.254.169.254',
  '172.16.0.1',
  '172.31.255.255',
  '192.0.0.1',
  '192.0.2.1',
  '192.88.99.1',
  '192.168.1.1',
  '198.18.0.1',
  '198.51.100.1',
  '203.0.113.1',
  '224.0.0.1',
  '255.255.255.255',
  '::',
  '::1',
  '[::1]',
  '::ffff:127.0.0.1',
  '::ffff:8.8.8.8',
  '::8.8.8.8',
  '64:ff9b::7f00:1',
  'fc00::1',
  'fd00:ec2::254',
  'fe80::1',
  'ff02::1',
  '2001::1',
  '2001:db8::1',
  '2002:7f00:1::1',
  '3fff::1',
])('%s is not', (address) => {
  expect([isAddress(address), isPublicAddress(address)]).toEqual([true, false])
})

test.each([
  'example.org',
  '1.2.3',
  '1.2.3.4.5',
  '256.1.1.1',
  '1::2::3',
  ':',
  '1:2:3:4:5:6:7:8:9',
  'fe80::1%eth0',
  '',
  '0x7f.1',
])('%j is no address, and so not a public one', (text) => {
  expect([isAddress(text), isPublicAddress(text)]).toEqual([false, false])
})
