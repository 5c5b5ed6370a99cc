const sizes = /^(?:b|B|[KMGTPE]i?[bB])$/
const times = /^(?:Year|Month|Day|Hour|Minute|Second|Millisecond|Microsecond)s?$/
const otherTimes =
  /^(?:years?|months?|days?|hours?|minutes?|seconds?|hrs?|h|mins?|secs?|s|ms|milliseconds?|microseconds?)$/i
const otherSizes = /^(?:(?:kilo|mega|giga|tera|peta|exa|kibi|mebi|gibi|tebi|pebi|exbi)?(?:bit|byte)s?|[kmgtpe]i?bs?)$/i
const counts = /^[A-Z][A-Za-z]*$/

/**
 * Unit Format: `<units>`, `<quantity> <units>`, base units joined by a hyphen, a ratio by a slash with at most a quantity in
 * its denominator. Sizes and times have their own names and no other; whatever is counted has a capitalized noun.
 */
export function unitProblem(cell: string): string | undefined {
  const [top = '', bottom, ...more] = cell.split('/')
  if (more.length > 0) return `${cell} has more than one slash`
  const parts = [top, ...(bottom === undefined ? [] : [bottom])]
  for (const part of parts) {
    const match = /^(?:([1-9]\d*) )?([^\s-]+(?:-[^\s-]+)*)$/.exec(part)
    if (match === null) return `${cell} is no quantity and unit`
    const wrong = (match[2] ?? '').split('-').find((base) => !isBase(base))
    if (wrong !== undefined) return `${wrong} is no base unit`
  }
  return undefined
}

const isBase = (base: string): boolean =>
  sizes.test(base) || times.test(base) || (counts.test(base) && !otherTimes.test(base) && !otherSizes.test(base))
