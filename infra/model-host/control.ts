import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { statsOf, type HostState } from './host-state.ts'
import { sendJson } from './http-answers.ts'
import { parseJson } from './knobs.ts'
import { readBody } from './read-body.ts'
import { reportFormats, reportHeader, reportLine } from './usage-report.ts'

const rowsPerPageMax = 100_000

/** The pages under `/_…`: the host's own, for tests. They are neither counted nor broken by knobs. */
export async function serveControl(
  state: HostState,
  request: IncomingMessage,
  response: ServerResponse,
  url: URL,
): Promise<void> {
  switch (`${request.method} ${url.pathname}`) {
    case 'GET /_knobs':
      return sendJson(response, 200, state.knobs.current())
    case 'DELETE /_knobs':
      state.knobs.reset()
      return sendJson(response, 200, state.knobs.current())
    case 'PUT /_knobs':
      return putKnobs(state, request, response)
    case 'GET /_usage':
      return getUsage(state, response, url)
    case 'GET /_report':
      return getReport(state, response, url)
    case 'DELETE /_usage':
      state.log.clear()
      return sendJson(response, 200, { total: 0 })
    case 'GET /_stats':
      return sendJson(response, 200, statsOf(state))
    case 'GET /_open':
      return sendJson(response, 200, { requestIds: [...state.open].map((call) => call.requestId) })
    case 'GET /_last':
      return getLast(state, response)
    default:
      return sendJson(response, 404, { error: `no page ${request.method} ${url.pathname}` })
  }
}

async function putKnobs(state: HostState, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = await readBody(request)
  const turned = state.knobs.turn(parseJson(body?.toString() ?? ''))
  if (!turned.ok) return sendJson(response, 400, { error: turned.message })
  sendJson(response, 200, turned.knobs)
}

function getUsage(state: HostState, response: ServerResponse, url: URL): void {
  const after = Number(url.searchParams.get('after') ?? 0)
  const limit = Number(url.searchParams.get('limit') ?? 1000)
  const valid = Number.isSafeInteger(after) && after >= 0 && Number.isSafeInteger(limit) && limit >= 1
  if (!valid) return sendJson(response, 400, { error: 'after and limit are whole numbers, limit at least 1' })
  sendJson(response, 200, state.log.page(after, Math.min(limit, rowsPerPageMax)))
}

/** The calls of a month and a site, by when they were done, as the log has them. */
async function getReport(state: HostState, response: ServerResponse, url: URL): Promise<void> {
  const month = url.searchParams.get('month') ?? ''
  const site = url.searchParams.get('site')
  const asked = url.searchParams.get('format') ?? 'csv'
  const format = reportFormats.find((one) => one === asked)
  if (!/^\d{4}-\d\d$/.test(month) || format === undefined)
    return sendJson(response, 400, { error: 'month is one such as 2026-10, format csv or json' })
  response.writeHead(200, { 'content-type': format === 'csv' ? 'text/csv' : 'application/x-ndjson' })
  if (format === 'csv') response.write(reportHeader)
  for (let after = 0; ;) {
    const { rows, next } = state.log.page(after, rowsPerPageMax)
    const text = rows
      .filter((row) => row.at.startsWith(month) && row.site === site)
      .map((row) => reportLine(row, format))
    if (!response.write(text.join(''))) await once(response, 'drain')
    if (rows.length === 0) break
    after = next
  }
  response.end()
}

function getLast(state: HostState, response: ServerResponse): void {
  if (state.last === null) return sendJson(response, 404, { error: 'no model call yet' })
  sendJson(response, 200, { ...state.last, body: state.last.body.toString() })
}
