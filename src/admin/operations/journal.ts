import { z } from '@hono/zod-openapi'
import { assert, formatAmount, isoOf, isUuid, ok } from '../../kernel/index.ts'
import {
  AccountName,
  EntryKind,
  listJournal,
  monthName,
  monthOf,
  sumJournal,
  type JournalAsked,
} from '../../billing/index.ts'
import { defineOperation } from '../operation.ts'
import { MonthName, Name, ownersAuditors, page, pageByName, Paging, periodNamed } from '../parts.ts'

const Asked = {
  month: MonthName.optional().openapi({ description: 'That documents are of, not in which they were booked.' }),
  account: AccountName.optional(),
  tenant: Name.optional(),
  license: Name.optional(),
}

const askedOf = ({ month, account, tenant, license }: z.infer<z.ZodObject<typeof Asked>>): JournalAsked => ({
  period: month === undefined ? undefined : periodNamed(month),
  account,
  tenant,
  license,
})

const Entry = z
  .object({
    entry: z.string(),
    kind: EntryKind,
    at: z.string(),
    recorded_at: z.string(),
    recorded_by: z.string(),
    tenant: z.string(),
    license: z.string(),
    month: z.string(),
    document: z.string(),
    reverses: z.string().nullable(),
    currency: z.string(),
    postings: z
      .array(z.object({ account: AccountName, sku: z.string().nullable(), amount: z.string() }))
      .openapi({ description: 'Debits are above zero, credits below; together they are zero.' }),
  })
  .openapi('JournalEntry')

export const listJournalEntries = defineOperation({
  id: 'listJournal',
  method: 'get',
  path: '/journal',
  tag: 'journal',
  summary: 'The entries of the journal in the order in which they were made, by month and account',
  roles: ownersAuditors,
  query: z.strictObject({ ...Paging, ...Asked }),
  answer: page(Entry),
  run: ({ tx }, { query }) =>
    pageByName(query, {
      read: ({ after, limit }) =>
        listJournal(tx, { ...askedOf(query), after: isUuid(after) ? after : undefined, limit }),
      nameOf: ({ entryId }) => entryId,
      show: (entries) =>
        entries.map((entry) => ({
          entry: entry.entryId,
          kind: entry.kind,
          at: isoOf(entry.at),
          recorded_at: isoOf(entry.recordedAt),
          recorded_by: entry.recordedBy,
          tenant: entry.tenant,
          license: entry.license,
          month: monthName(monthOf(entry.periodStart)),
          document: entry.document,
          reverses: entry.reverses ?? null,
          currency: entry.currency,
          postings: entry.postings.map(({ account, sku, amount }) => ({
            account,
            sku: sku ?? null,
            amount: formatAmount(amount),
          })),
        })),
    }),
})

export const sumJournalEntries = defineOperation({
  id: 'sumJournal',
  method: 'get',
  path: '/journal/sums',
  tag: 'journal',
  summary: 'What each account came to, by currency. Debits and credits of all accounts are the same',
  roles: ownersAuditors,
  query: z.strictObject(Asked),
  answer: z.object({
    data: z.array(
      z.object({
        account: AccountName,
        sku: z.string().nullable().openapi({ description: 'What was sold; of revenue only.' }),
        currency: z.string(),
        debits: z.string(),
        credits: z.string(),
      }),
    ),
  }),
  async run({ tx }, { query }) {
    const sums = await sumJournal(tx, askedOf(query))
    const isBalanced = [...Map.groupBy(sums, ({ currency }) => currency).values()].every(
      (of) => of.reduce((off, { debits, credits }) => off + debits - credits, 0n) === 0n,
    )
    assert(query.account !== undefined || isBalanced, 'the journal’s debits and credits are the same')
    return ok({
      body: {
        data: sums.map(({ account, sku, currency, debits, credits }) => ({
          account,
          sku: sku ?? null,
          currency,
          debits: formatAmount(debits),
          credits: formatAmount(credits),
        })),
      },
    })
  },
})
