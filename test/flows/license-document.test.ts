import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runLicenseVerify } from '../../src/cli/commands/license-document.ts'
import { systemTransaction } from '../../src/db/index.ts'
import { instant } from '../../src/kernel/index.ts'
import { actOnLicense } from '../../src/licensing/index.ts'
import { openHouse, tester, type House } from '../support/house.ts'

let house: House
let folder: string
beforeAll(async () => {
  house = await openHouse()
  folder = mkdtempSync(join(tmpdir(), 'formulary-document-'))
})
afterAll(async () => {
  await house.stop()
  rmSync(folder, { recursive: true, force: true })
})

/** As a program of the hospital keeps it: bytes of a route in a file. */
async function download(path: string, application: string): Promise<string> {
  const key = await house.key(application)
  const response = await fetch(house.url + path, { headers: { authorization: `Bearer ${key}` } })
  expect(response.status).toBe(200)
  const file = join(folder, path.replaceAll('/', '_') + application.replace('/', '-'))
  writeFileSync(file, await response.text())
  return file
}

async function verify(...args: string[]): Promise<readonly [number, string]> {
  const lines: string[] = []
  const say = (line: string) => void lines.push(line)
  const io = { json: false, out: say, err: say, now: instant(Date.now()) }
  const status = await runLicenseVerify(['verify', ...args], io)
  return [status, lines.join('\n')]
}

test('a hospital downloads its license, and anybody checks it offline with the published keys', async () => {
  const document = await download('/v1/license/document', 'lakeside/ehr')
  const keys = await download('/.well-known/jwks.json', 'lakeside/ehr')
  const revocations = await download('/v1/license/revocations', 'lakeside/ehr')
  expect(await verify(document, '--keys', keys, '--revocations', revocations)).toEqual([
    0,
    expect.stringMatching(/^LIC-LAKESIDE, revision \d+, granted by The Clinic to lakeside: valid from 2026-01-01/),
  ])
  const others = await download('/v1/license/revocations', 'prairie/trial')
  expect(await verify(document, '--keys', keys, '--revocations', others)).toEqual([
    1,
    expect.stringContaining('the list of revocations is about prairie only'),
  ])
  const response = await fetch(`${house.url}/v1/license/document`, {
    headers: { authorization: `Bearer ${await house.key('lakeside/ehr')}` },
  })
  expect(response.headers.get('content-type')).toBe('application/jwt')
  expect(response.headers.get('content-disposition')).toBe('attachment; filename="LIC-LAKESIDE.jwt"')

  await systemTransaction(house.database, 'administer', (tx) =>
    actOnLicense(tx, {
      license: 'LIC-LAKESIDE',
      act: 'suspend',
      reason: 'a test',
      until: undefined,
      actor: tester,
      now: instant(Date.now()),
    }),
  )
  const newer = await download('/v1/license/revocations', 'lakeside/ehr')
  expect(await verify(document, '--keys', keys, '--revocations', newer)).toEqual([
    1,
    expect.stringContaining('the license is suspended'),
  ])
})
