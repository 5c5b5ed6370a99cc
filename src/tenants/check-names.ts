import { adviseName } from './nearest.ts'
import { quoted, type Path, type Problem } from './problem.ts'
import type { Source } from './source.ts'

/** Names of a list that stand in it twice. `keyOf` ends the path of an element: `facilities[2].facility`. */
export function repeatedNames(
  source: Source,
  list: Path,
  key: string | undefined,
  names: readonly string[],
): readonly Problem[] {
  const seen = new Set<string>()
  return names.flatMap((name, index) => {
    if (!seen.has(name)) {
      seen.add(name)
      return []
    }
    const path = [...list, index, ...(key === undefined ? [] : [key])]
    const advice = key === undefined ? 'remove one of them' : 'rename one of them, or join the two'
    return [source.problem(path, { message: `${quoted(name)} stands here twice`, advice })]
  })
}

/** A name that should be declared somewhere and is not. */
export const danglingName = (
  source: Source,
  path: Path,
  options: { what: string; name: string; declared: readonly string[]; declareIt: string },
): Problem =>
  source.problem(path, {
    message: `there is no ${options.what} ${quoted(options.name)}`,
    advice: adviseName(options.name, options.declared, options.declareIt),
  })
