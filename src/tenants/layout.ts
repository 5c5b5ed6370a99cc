import { err, ok, type Result } from '../kernel/index.ts'
import { nearest } from './nearest.ts'
import { fileProblem, quoted, type Problem } from './problem.ts'
import type { FileKind } from './schema.ts'

/** What a file is, by where it lies. `name` is the name that it must declare; for a license or a policy, its tenant's. */
export interface Place {
  readonly kind: FileKind | 'policies' | 'tenant-policy'
  readonly name: string
}

/** Folders of tenants/ that are not tenants. */
export const reservedNames: readonly string[] = ['models', 'plans', 'policies', 'schema']

/**
 * Reads a path relative to tenants/. Undefined: nothing to declare (a README, a generated schema, a hidden file).
 * Everything else that is not a declaration is a problem: a file that is silently skipped is a license not applied.
 */
export function placeOf(file: string): Result<Place | undefined, Problem> {
  const parts = file.split('/')
  const [folder = '', base = ''] = parts
  const last = parts.at(-1) ?? ''
  if (parts.some((part) => part.startsWith('.')) || /^README(\.md)?$/i.test(last)) return ok(undefined)
  const no = (message: string, advice: string) => err(fileProblem(file, { message, advice }))
  if (folder === 'schema' && parts.length > 1)
    return /\.(?:json|cedarschema)$/.test(last)
      ? ok(undefined)
      : no('schema is a reserved name, not a tenant', 'rename the folder')
  if (last.endsWith('.yml')) return no(`${quoted(last)} ends in .yml`, `rename it to ${last.slice(0, -4)}.yaml`)
  if (parts.length === 1)
    return no(
      `${quoted(file)} lies beside the folders`,
      last.endsWith('.cedar')
        ? `move it into policies/, or to <tenant>/policy.cedar`
        : 'move it into models/, plans/ or the folder of its tenant, or remove it',
    )
  if (parts.length > 2) return no(`${quoted(file)} lies too deep`, `move it up into ${folder}/, or remove it`)
  if (folder === 'models' || folder === 'plans') {
    const kind = folder === 'models' ? 'model' : 'plan'
    if (!base.endsWith('.yaml')) return no(`${quoted(base)} is not a ${kind}`, `name it <${kind}>.yaml, or remove it`)
    return ok({ kind, name: base.slice(0, -5) })
  }
  if (folder === 'policies') {
    if (!base.endsWith('.cedar'))
      return no(`${quoted(base)} is not a file of Cedar`, 'name it <what>.cedar, or remove it')
    return ok({ kind: 'policies', name: base.slice(0, -6) })
  }
  if (base === 'tenant.yaml') return ok({ kind: 'tenant', name: folder })
  if (base === 'license.yaml') return ok({ kind: 'license', name: folder })
  if (base === 'policy.cedar') return ok({ kind: 'tenant-policy', name: folder })
  if (base.endsWith('.cedar'))
    return no(`a tenant has one file of Cedar, and ${quoted(base)} is not it`, 'name it policy.cedar')
  const meant = nearest(base, ['tenant.yaml', 'license.yaml', 'policy.cedar'])
  return no(
    `${quoted(base)} is not a file of a tenant`,
    meant === undefined
      ? 'a tenant has tenant.yaml, license.yaml and perhaps policy.cedar; remove what is something else'
      : `rename it to ${meant}`,
  )
}
