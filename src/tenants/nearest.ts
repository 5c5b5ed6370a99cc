/** The word that was probably meant: the closest by edits, if it is close enough to be a slip and not another word. */
export function nearest(written: string, words: readonly string[]): string | undefined {
  const folded = fold(written)
  const reach = Math.max(1, Math.floor(folded.length / 3))
  let best: { word: string; distance: number } | undefined
  for (const word of words) {
    // A length that differs by more than the reach cannot be within it: a long text costs nothing.
    if (Math.abs(word.length - folded.length) > reach) continue
    const distance = edits(folded, fold(word))
    if (distance <= reach && (best === undefined || distance < best.distance)) best = { word, distance }
  }
  return best?.word
}

/** `requests_per_minute` and `RequestsPerMinute` are meant to be `requestsPerMinute`. */
const fold = (text: string): string => text.toLowerCase().replaceAll(/[_\s-]/g, '')

/** Insertions, deletions, replacements and swaps of neighbors (optimal string alignment). */
function edits(a: string, b: string): number {
  let before: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      row[j] = Math.min(
        (last[j] ?? 0) + 1,
        (row[j - 1] ?? 0) + 1,
        (last[j - 1] ?? 0) + (same ? 0 : 1),
        swapped ? (before[j - 2] ?? 0) + 1 : Infinity,
      )
    }
    before = last
    last = row
  }
  return last[b.length] ?? 0
}

/** The advice for a name that nobody declared. */
export function adviseName(written: string, declared: readonly string[], declareIt: string): string {
  const names = [...new Set(declared)]
  const meant = nearest(written, names)
  if (meant !== undefined) return `did you mean ${meant}? Otherwise ${declareIt}`
  return names.length === 0 ? declareIt : `write one of ${someOf(names)}, or ${declareIt}`
}

const LISTED_MAX = 12
/** A list for a sentence, cut where nobody reads on. */
export const someOf = (words: readonly string[]): string =>
  words.length <= LISTED_MAX
    ? words.join(', ')
    : `${words.slice(0, LISTED_MAX).join(', ')} and ${words.length - LISTED_MAX} more`
