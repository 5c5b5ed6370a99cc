import { open, readdir, realpath, stat } from 'node:fs/promises'
import { join, sep } from 'node:path'
import { err, type Result } from '../kernel/index.ts'
import { provideNodeCedar } from '../platform/node/cedar.ts'
import {
  fileProblem,
  readDeclarations,
  sortProblems,
  type DeclarationFile,
  type Declarations,
  type Problem,
} from '../tenants/index.ts'

const FILES_MAX = 20_000
const FILE_BYTES_MAX = 1_048_576
const TOTAL_BYTES_MAX = 134_217_728
/** tenants/<tenant>/<file>, and one level more, so that what lies too deep is told instead of overlooked. */
const DEPTH_MAX = 3

/** Reads the folder of declarations, and says everything that is wrong in it. Nothing outside the folder is read. */
export async function readTenantsFolder(folder: string): Promise<Result<Declarations, readonly Problem[]>> {
  const root = await realpath(folder).catch(() => undefined)
  if (root === undefined)
    return err([
      fileProblem('', {
        message: 'there is no such folder',
        advice: 'set TENANTS_DIR to the folder of the declarations',
      }),
    ])
  provideNodeCedar()
  const problems: Problem[] = []
  const files = await readFiles(root, await listFiles(root, '', problems), problems)
  const declarations = readDeclarations(files)
  if (problems.length === 0) return declarations
  return err(sortProblems([...problems, ...(declarations.ok ? [] : declarations.error)]))
}

/** Relative paths of the files, in the order of their names. Hidden ones are an editor's or Kubernetes' (`..data`). */
async function listFiles(root: string, folder: string, problems: Problem[]): Promise<readonly string[]> {
  const found: string[] = []
  for (const name of (await readdir(join(root, folder))).toSorted()) {
    if (name.startsWith('.')) continue
    const path = folder === '' ? name : `${folder}/${name}`
    const kind = await kindOf(root, path)
    if (kind === 'file') found.push(path)
    else if (kind === 'folder' && path.split('/').length < DEPTH_MAX)
      found.push(...(await listFiles(root, path, problems)))
    else problems.push(fileProblem(path, refused[kind]))
    if (found.length <= FILES_MAX) continue
    problems.push(
      fileProblem('', {
        message: `there are more than ${FILES_MAX} files`,
        advice: 'is TENANTS_DIR the folder of the declarations?',
      }),
    )
    break
  }
  return found
}

const refused = {
  folder: { message: 'the folder lies too deep', advice: 'a tenant is one folder with tenant.yaml and license.yaml' },
  outside: {
    message: 'the link leads out of the folder of declarations, or nowhere',
    advice: 'put the file itself here: what is applied must be what was reviewed',
  },
  other: { message: 'this is not a file', advice: 'remove it' },
} as const

async function kindOf(root: string, path: string): Promise<'file' | keyof typeof refused> {
  const real = await realpath(join(root, path)).catch(() => undefined)
  if (real === undefined || !real.startsWith(root + sep)) return 'outside'
  const facts = await stat(real)
  return facts.isFile() ? 'file' : facts.isDirectory() ? 'folder' : 'other'
}

async function readFiles(
  root: string,
  paths: readonly string[],
  problems: Problem[],
): Promise<readonly DeclarationFile[]> {
  const files: DeclarationFile[] = []
  let bytes = 0
  for (const path of paths) {
    const read = await readText(join(root, path))
    if ('message' in read) {
      problems.push(fileProblem(path, read))
      continue
    }
    bytes += read.bytes
    if (bytes > TOTAL_BYTES_MAX) {
      problems.push(
        fileProblem('', {
          message: `the files hold more than ${TOTAL_BYTES_MAX} bytes`,
          advice: 'is TENANTS_DIR the folder of the declarations?',
        }),
      )
      break
    }
    files.push({ path, text: read.text })
  }
  return files
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

async function readText(path: string): Promise<{ text: string; bytes: number } | { message: string; advice: string }> {
  const file = await open(path).catch(() => undefined)
  if (file === undefined)
    return { message: 'the file cannot be opened', advice: 'give the user who runs this the right to read it' }
  try {
    const { size } = await file.stat()
    if (size > FILE_BYTES_MAX)
      return {
        message: `the file has more than ${FILE_BYTES_MAX} bytes`,
        advice: 'a declaration is a few hundred lines; is this one?',
      }
    const bytes = await file.readFile()
    return { text: utf8.decode(bytes), bytes: bytes.length }
  } catch (error) {
    if (error instanceof TypeError) return { message: 'the file is not UTF-8', advice: 'save it as UTF-8' }
    throw error
  } finally {
    await file.close()
  }
}
