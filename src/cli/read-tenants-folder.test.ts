import { chmod, cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { isOperation } from '../identity/index.ts'
import type { Log } from '../kernel/index.ts'
import { askPolicies, KeptDecisions } from '../policy/index.ts'
import { sampleTree } from '../tenants/sample-tree.ts'
import type { Declarations, Problem } from '../tenants/index.ts'
import { readTenantsFolder } from './read-tenants-folder.ts'

let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'formulary-tenants-'))
  for (const [path, text] of Object.entries(sampleTree)) await write(path, text)
})
afterEach(() => rm(folder, { recursive: true, force: true }))

async function write(path: string, content: string | Uint8Array): Promise<void> {
  await mkdir(dirname(join(folder, path)), { recursive: true })
  await writeFile(join(folder, path), content)
}

async function problems(): Promise<readonly Problem[]> {
  const read = await readTenantsFolder(folder)
  return read.ok ? [] : read.error
}

test('a folder is read; hidden files and what tools leave are not', async () => {
  await write('.DS_Store', 'x')
  await write('lakeside/.license.yaml.swp', 'x')
  await write('schema/tenant.json', '{}')
  const read = await readTenantsFolder(folder)
  expect(read.ok && read.value.tenants).toHaveLength(2)
})

test('a folder that is not there is told', async () => {
  await rm(folder, { recursive: true })
  expect(await problems()).toMatchObject([{ message: 'there is no such folder' }])
})

describe('what is refused:', () => {
  test('a link that leads out of the folder, or nowhere', async () => {
    await symlink('/etc/passwd', join(folder, 'lakeside/passwd.yaml'))
    await symlink('/etc', join(folder, 'etc'))
    await symlink('gone.yaml', join(folder, 'models/gone.yaml'))
    expect((await problems()).map(({ file }) => file)).toEqual(['etc', 'lakeside/passwd.yaml', 'models/gone.yaml'])
  })

  test('a link that stays inside is a file, as Kubernetes mounts a ConfigMap', async () => {
    await rm(join(folder, 'lakeside/license.yaml'))
    await write('..data/license.yaml', sampleTree['lakeside/license.yaml'] ?? '')
    await symlink('../..data/license.yaml', join(folder, 'lakeside/license.yaml'))
    expect(await problems()).toEqual([])
  })

  test('a file that is too large, is not UTF-8, or lies too deep', async () => {
    await write('models/large.yaml', `# ${'x'.repeat(1_048_576)}`)
    await write('models/latin.yaml', new Uint8Array([0x61, 0x3a, 0x20, 0xe9]))
    await write('lakeside/a/b/c/license.yaml', 'license: LIC-9')
    expect((await problems()).map(({ file }) => file)).toEqual([
      'lakeside/a/b',
      'models/large.yaml',
      'models/latin.yaml',
    ])
  })

  test.skipIf(process.getuid?.() === 0)('a file that may not be read', async () => {
    await chmod(join(folder, 'lakeside/license.yaml'), 0)
    expect((await problems()).map(({ message }) => message)).toContain('the file cannot be opened')
  })

  test('problems of the folder and of the files, in one order', async () => {
    await write('clinic/notes.txt', 'x')
    await symlink('/etc/passwd', join(folder, 'lakeside/passwd.yaml'))
    await write('models/other.yml', 'x')
    expect((await problems()).map(({ file }) => file)).toEqual([
      'clinic/notes.txt',
      'lakeside/passwd.yaml',
      'models/other.yml',
    ])
  })
})

describe('the declarations that come with Formulary', () => {
  const shipped = fileURLToPath(new URL('../../tenants/', import.meta.url))

  async function declarations(): Promise<Declarations> {
    const read = await readTenantsFolder(shipped)
    expect(read.ok ? [] : read.error).toEqual([])
    if (!read.ok) throw new Error('unreachable')
    return read.value
  }

  test('have an application for each of the five ways of use', async () => {
    const { tenants } = await declarations()
    const uses = tenants.flatMap(({ tenant: { value } }) =>
      value.applications.map(({ audience }) => `${value.kind === 'owner' ? 'owner' : 'others'} ${audience}`),
    )
    expect(new Set(uses)).toEqual(
      new Set(['owner expert', 'owner clinician', 'others clinician', 'others patient', 'others consumer']),
    )
  })

  test('are in force from now through 2027', async () => {
    for (const { license } of (await declarations()).tenants) {
      expect(license.value.term.start, license.value.license).toBeLessThan(Date.parse('2026-11-23T00:00:00Z'))
      expect(license.value.term.end, license.value.license).toBeGreaterThanOrEqual(Date.parse('2028-01-01T00:00:00Z'))
    }
  })

  test('have a guide whose policies can be copied', async () => {
    const guide = await readFile(join(shipped, 'policies/README.md'), 'utf8')
    const examples = Array.from(guide.matchAll(/```cedar\n(.*?)```/gs), ([, text = '']) => text)
    expect(examples.length).toBeGreaterThanOrEqual(5)
    for (const [index, example] of examples.entries()) {
      const copy = `copy-${index}`
      await cp(shipped, join(folder, copy), { recursive: true })
      // The first is one that is shipped, without the others beside it.
      await write(`${copy}/policies/${index === 0 ? 'safeguards' : 'example'}.cedar`, example)
      const read = await readTenantsFolder(join(folder, copy))
      expect(read.ok ? [] : read.error, example).toEqual([])
    }
  })

  test('permit by their policies what they license, but for what a tenant itself forbids', async () => {
    const { models, policies, tenants } = await declarations()
    const decisions = new KeptDecisions()
    const log: Log = { info() {}, warn() {}, error() {} }
    const refused = new Set<string>()
    let asked = 0
    for (const { tenant, license, policies: own } of tenants)
      for (const application of tenant.value.applications)
        for (const right of license.value.entitlements.filter((one) => one.audiences.includes(application.audience))) {
          const model = models.find(({ value }) => value.model === right.model)?.value
          const version = model?.versions.find((one) => one.version === right.pin)
          if (model === undefined || version === undefined) throw new Error('an entitlement to nothing')
          const operations = application.scopes
            .filter(isOperation)
            .filter((one) => (one === 'infer') === (model.protocol === 'open-inference'))
          for (const operation of operations)
            for (const purpose of application.purposes.filter((one) => right.purposes.includes(one)))
              for (const facility of application.facilities) {
                asked++
                const inForce = {
                  owner: { revision: 1, policies, digest: 'of the owner' },
                  tenant: { revision: 1, policies: own, digest: `of ${tenant.value.tenant}` },
                }
                const verdict = askPolicies({ decisions, log }, inForce, {
                  tenant: tenant.value.tenant,
                  tenantKind: tenant.value.kind,
                  application: application.application,
                  audience: application.audience,
                  operation,
                  model: model.model,
                  protocol: model.protocol,
                  version: version.version,
                  stage: version.stage,
                  purpose,
                  facility,
                  facilityRegion: 'us-east',
                  evaluation: license.value.evaluation,
                  grace: false,
                })
                if (verdict.outcome !== 'permit') refused.add(`${JSON.stringify(verdict)} ${facility}`)
              }
        }
    expect(asked).toBeGreaterThan(20)
    expect([...refused]).toEqual([
      expect.stringMatching(/"policy":"lakeside-health\/portal-stays-at-general".* lakeside-north$/),
    ])
  })

  test('are served by the stand-in alone, and need no secret', async () => {
    for (const { value } of (await declarations()).models)
      for (const { name, url, credential } of value.versions.flatMap(({ deployments }) => deployments)) {
        const host = name === 'east' ? 'http://model-host.demo' : `http://model-host.demo/at/${name}`
        expect(url).toBe(value.protocol === 'openai' ? `${host}/v1` : host)
        expect(credential).toBeUndefined()
      }
  })
})
