import { parseArgs } from 'node:util'
import { assertNever, isoOf, isUuid, type Instant } from '../../kernel/index.ts'
import { systemTransaction, type Database } from '../../db/index.ts'
import type { Actor } from '../../identity/index.ts'
import { Stage, stages } from '../../policy/index.ts'
import { acknowledgeNotice, issueNotice, listNotices, type NoticeRefusal } from '../../release/index.ts'
import { readNumber } from '../read-values.ts'
import { reportMisuse, reportRefusal, type Io } from '../report.ts'

export interface NoticeIo extends Io {
  readonly now: Instant
  readonly database: Database
}

/** `formulary notice issue <model>@<version> | acknowledge <notice id> | list [--all]`. */
export async function runNotice(args: readonly string[], io: NoticeIo): Promise<0 | 1 | 2> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      to: { type: 'string' },
      days: { type: 'string' },
      summary: { type: 'string' },
      by: { type: 'string' },
      all: { type: 'boolean' },
    },
  })
  const [verb, name, ...more] = positionals
  if (more.length > 0) return reportMisuse(io, `\`notice ${verb}\` does not take \`${more[0]}\``)
  const { by = 'cli' } = values
  switch (verb) {
    case 'issue':
      return issue(io, name, { ...values, by })
    case 'acknowledge':
      return acknowledge(io, name, by)
    case 'list':
      return list(io, values.all === true ? 'all' : 'open')
    default:
      return reportMisuse(io, 'what about notices? formulary notice issue|acknowledge|list')
  }
}

async function issue(
  io: NoticeIo,
  name: string | undefined,
  wish: { to?: string; days?: string; summary?: string; by: string },
): Promise<0 | 1 | 2> {
  const [, model, version] = /^(.+)@(.+)$/.exec(name ?? '') ?? []
  if (model === undefined || version === undefined)
    return reportMisuse(io, 'of which version? formulary notice issue <model>@<version> --summary "…"')
  const to = Stage.safeParse(wish.to ?? 'licensed')
  if (!to.success) return reportMisuse(io, `--to must be one of ${stages.join(', ')}`)
  const days = wish.days === undefined ? undefined : readNumber(wish.days)
  if (wish.days !== undefined && (days === undefined || !Number.isInteger(days) || days > 366))
    return reportMisuse(io, '--days must be a whole number, 366 at most')
  const { summary = '', by } = wish
  if (summary.trim() === '') return reportMisuse(io, 'say what changes: --summary "…"')
  const issued = await systemTransaction(io.database, 'administer', (tx) =>
    issueNotice(tx, { model, version, to: to.data, days, summary, actor: actorOf(by), now: io.now }),
  )
  if (!issued.ok) return reportRefusal(io, issued.error.reason, wordsFor(issued.error))
  const told = issued.value.map((one) => ({ ...one, effectiveAt: isoOf(one.effectiveAt) }))
  if (io.json) io.out(JSON.stringify({ model, version, notices: told }))
  else for (const { tenant, noticeId, effectiveAt } of told) io.out(`${noticeId}  ${tenant}  runs until ${effectiveAt}`)
  return 0
}

async function acknowledge(io: NoticeIo, noticeId: string | undefined, by: string): Promise<0 | 1 | 2> {
  if (noticeId === undefined || !isUuid(noticeId))
    return reportMisuse(io, 'which notice? formulary notice acknowledge <notice id>')
  const read = await systemTransaction(io.database, 'administer', (tx) =>
    acknowledgeNotice(tx, { noticeId, actor: actorOf(by), now: io.now }),
  )
  if (!read.ok) return reportRefusal(io, read.error.reason, wordsFor(read.error))
  if (io.json) io.out(JSON.stringify({ noticeId, acknowledgedBy: by }))
  else io.out(`${noticeId} is acknowledged.`)
  return 0
}

async function list(io: NoticeIo, which: 'open' | 'all'): Promise<0> {
  const notices = await systemTransaction(io.database, 'administer', (tx) => listNotices(tx, which))
  const shown = notices.map(({ acknowledged, ...notice }) => ({
    ...notice,
    issuedAt: isoOf(notice.issuedAt),
    effectiveAt: isoOf(notice.effectiveAt),
    acknowledged: acknowledged === undefined ? null : { by: acknowledged.by, at: isoOf(acknowledged.at) },
  }))
  if (io.json) io.out(JSON.stringify({ notices: shown }))
  else
    for (const { noticeId, tenant, model, version, effectiveAt, summary } of shown)
      io.out(`${noticeId}  ${tenant}  ${model}@${version}  ${effectiveAt}  ${summary}`)
  return 0
}

const actorOf = (name: string): Actor => ({ kind: 'command', name, roles: ['licensing'], tenantId: undefined })

function wordsFor(refusal: NoticeRefusal): string {
  switch (refusal.reason) {
    case 'version_not_found':
      return `there is no version ${refusal.version} of ${refusal.model}`
    case 'notice_too_short':
      return `the model's file promises ${refusal.daysMin} days of notice; ${refusal.days} are too few`
    case 'nobody_to_notify':
      return `no license pins a version before ${refusal.version} of ${refusal.model} for whom that stage would reach`
    case 'notice_not_found':
      return `there is no notice ${refusal.noticeId}`
    default:
      return assertNever(refusal, 'a refusal of a notice')
  }
}
