import { invalid } from './problem.ts'
import { textOf, wholeOf, type Params } from './params.ts'

/** A page of a list, newest first: `limit` 1 to 100 (10), `starting_after`, `ending_before` (https://docs.stripe.com/api/pagination). */
export function pageOf(url: string, newestFirst: readonly { id: string }[], params: Params): object {
  const limit = wholeOf(params, 'limit') ?? 10
  if (limit < 1 || limit > 100) throw invalid(`This value must be between 1 and 100 (inclusive): ${limit}`, 'limit')
  const after = textOf(params, 'starting_after')
  const before = textOf(params, 'ending_before')
  if (before !== undefined) {
    const end = placeOf(newestFirst, before, 'ending_before')
    const start = Math.max(0, end - limit)
    return { object: 'list', url, has_more: start > 0, data: newestFirst.slice(start, end) }
  }
  const start = after === undefined ? 0 : placeOf(newestFirst, after, 'starting_after') + 1
  const data = newestFirst.slice(start, start + limit)
  return { object: 'list', url, has_more: start + limit < newestFirst.length, data }
}

function placeOf(list: readonly { id: string }[], id: string, param: string): number {
  const place = list.findIndex((item) => item.id === id)
  if (place < 0) throw invalid(`No such object: '${id}'`, param, 'resource_missing')
  return place
}
