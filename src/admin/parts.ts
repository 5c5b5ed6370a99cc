import { z } from '@hono/zod-openapi'
import { assert, err, instant, ok, type Instant, type Result } from '../kernel/index.ts'
import type { Role } from '../identity/index.ts'
import { parseMonth, type Period } from '../billing/index.ts'
import type { Done } from './operation.ts'
import type { AdminRefusal } from './refusal.ts'

/** Whoever may look at what concerns licenses: the owner's people, and of its own tenant a tenant's. */
export const readers: readonly Role[] = [
  'owner-admin',
  'licensing',
  'finance',
  'auditor',
  'tenant-admin',
  'tenant-viewer',
]
export const ownersPeople: readonly Role[] = ['owner-admin', 'licensing', 'finance', 'auditor']
export const licensingOffice: readonly Role[] = ['owner-admin', 'licensing']
/** Whoever closes months and takes invoices back. */
export const financeOffice: readonly Role[] = ['owner-admin', 'finance']
export const ownersAuditors: readonly Role[] = [...financeOffice, 'auditor']
/** Whoever may look at what is charged, and of its own tenant a tenant's. */
export const billReaders: readonly Role[] = [...ownersAuditors, 'tenant-admin', 'tenant-viewer']
export const keyKeepers: readonly Role[] = ['owner-admin', 'licensing', 'tenant-admin']

export const Name = z.string().min(1).max(200)
export const Reason = z.string().trim().min(1, 'say why').max(2000)

/** An instant with its zone (RFC 3339). */
export const At = z.iso
  .datetime({ offset: true, error: 'write an instant with its zone, such as 2026-12-01T00:00:00Z' })
  .transform((text) => instant(Date.parse(text)))
  .openapi({ type: 'string', format: 'date-time' })

/** A month in UTC. */
export const MonthName = z
  .string()
  .refine((text) => parseMonth(text) !== undefined, 'write a month such as 2026-10')
  .openapi({ pattern: String.raw`^\d{4}-(0[1-9]|1[0-2])$`, example: '2026-10' })

/** The month that a `MonthName` names. */
export function periodNamed(month: string): Period {
  const period = parseMonth(month)
  assert(period !== undefined, 'its schema has read the month')
  return period
}

const pageMax = 200
export const Paging = {
  limit: z.coerce.number().int().min(1).max(pageMax).default(100),
  after: z.string().max(400).optional().openapi({ description: 'next, of the page before.' }),
}

export const page = (element: z.ZodType) =>
  z.object({ data: z.array(element), next: z.string().nullable().openapi({ description: 'Null: nothing follows.' }) })

/** A page of rows in the order of their names: `read` takes those after a name, and one more than are shown. */
export async function pageByName<Row>(
  asked: { readonly limit: number; readonly after?: string | undefined },
  how: {
    read(page: { after: string; limit: number }): Promise<readonly Row[]>
    nameOf(row: Row): string
    show(rows: readonly Row[]): readonly object[] | Promise<readonly object[]>
  },
): Promise<Done> {
  const cursor = partsOf(asked.after, 1)
  if (!cursor.ok) return cursor
  const [after = ''] = cursor.value ?? []
  const read = await how.read({ after, limit: asked.limit + 1 })
  const rows = read.slice(0, asked.limit)
  const last = rows.at(-1)
  const next = read.length > asked.limit && last !== undefined ? cursorOf([how.nameOf(last)]) : null
  return ok({ body: { data: await how.show(rows), next } })
}

export const cursorOf = (parts: readonly string[]): string => Buffer.from(JSON.stringify(parts)).toString('base64url')

/** The parts of a cursor that we gave out. */
export function partsOf(
  cursor: string | undefined,
  count: number,
): Result<readonly string[] | undefined, readonly AdminRefusal[]> {
  if (cursor === undefined) return ok(undefined)
  try {
    const parts: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString())
    if (Array.isArray(parts) && parts.length === count && parts.every((part) => typeof part === 'string'))
      return ok(parts)
  } catch {
    // Told below.
  }
  return err([
    {
      status: 400,
      reason: 'invalid_request',
      message: 'after is no cursor of ours.',
      advice: 'Send the next of a page.',
    },
  ])
}

export const dayMs = 86_400_000
export const instantOfText = (text: string): Instant | undefined => {
  const at = Date.parse(text)
  return Number.isNaN(at) ? undefined : instant(at)
}
