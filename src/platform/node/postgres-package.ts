import { lstatSync, mkdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join, resolve } from 'node:path'
import { z } from 'zod'
import { EmbeddedPostgresError } from './embedded-postgres-error.ts'

export interface PostgresPackage {
  /** A cluster belongs to one major version: `18`. */
  readonly major: string
  program(name: 'initdb' | 'postgres'): string
  /** What the programs may see of our environment: no secret of ours, no PG* variable of the operator's. */
  readonly env: NodeJS.ProcessEnv
}

/** The PostgreSQL that npm installed for this platform, ready to run. `directory` may receive its library links. */
export function findPostgresPackage(directory: string): PostgresPackage {
  const root = findRoot()
  const libraries = linkLibraries(root, join(directory, 'lib'))
  const searchPath = process.platform === 'darwin' ? 'DYLD_LIBRARY_PATH' : 'LD_LIBRARY_PATH'
  return {
    major: readMajor(root),
    program: (name) => join(root, 'native', 'bin', name),
    env: {
      PATH: process.env['PATH'] ?? '/usr/bin:/bin',
      LC_ALL: 'C',
      TZ: 'UTC',
      ...(libraries === undefined ? {} : { [searchPath]: libraries }),
    },
  }
}

function findRoot(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  try {
    return resolve(dirname(createRequire(import.meta.url).resolve(name)), '..')
  } catch (error) {
    throw new EmbeddedPostgresError(
      `There is no embedded PostgreSQL here (the package ${name} is not installed): set DATABASE_URL to a PostgreSQL 18, or run npm ci on linux x64, linux arm64 or darwin arm64.`,
      { cause: error },
    )
  }
}

const Manifest = z.object({ version: z.string().regex(/^\d+\./) })

/** The package is numbered like the PostgreSQL in it. */
function readMajor(root: string): string {
  const { version } = Manifest.parse(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')))
  return version.slice(0, version.indexOf('.'))
}

const LibraryLinks = z.array(z.object({ source: z.string(), target: z.string() })).max(200)

/**
 * The package lists its library links, because npm's archives hold none; its install script, which we do not run,
 * would make them. Where the package is read-only (installed by root, run by another), they are made in `spare`, and
 * the answer is a search path: `spare`, and then the package's own folder for what a linked library needs in turn.
 */
function linkLibraries(root: string, spare: string): string | undefined {
  const links = readLinks(root)
  try {
    for (const { source, target } of links) ensureLink(basename(source), join(root, target))
    return undefined
  } catch (error) {
    if (!hasCode(error, 'EACCES', 'EROFS', 'EPERM')) throw error
  }
  mkdirSync(spare, { recursive: true })
  for (const { source, target } of links) {
    const link = join(spare, basename(target))
    rmSync(link, { force: true })
    ensureLink(join(root, source), link)
  }
  return `${spare}:${join(root, 'native', 'lib')}`
}

function readLinks(root: string): z.infer<typeof LibraryLinks> {
  try {
    return LibraryLinks.parse(JSON.parse(readFileSync(join(root, 'native', 'pg-symlinks.json'), 'utf8')))
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return []
    throw error
  }
}

/** Several processes may link at the same time: whoever comes second finds the same link. */
function ensureLink(to: string, at: string): void {
  if (lstatSync(at, { throwIfNoEntry: false }) !== undefined) return
  try {
    symlinkSync(to, at)
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error
  }
}

function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && codes.includes(error.code)
}
