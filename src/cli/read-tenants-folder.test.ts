import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
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

  test('are served by the stand-in alone, and need no secret', async () => {
    for (const { value } of (await declarations()).models)
      for (const { url, credential } of value.versions.flatMap(({ deployments }) => deployments)) {
        expect(url).toBe(value.protocol === 'openai' ? 'http://model-host.demo/v1' : 'http://model-host.demo')
        expect(credential).toBeUndefined()
      }
  })
})
