import { z } from '@hono/zod-openapi'
import { canonicalJson, err, ok, type Json, type Result } from '../../kernel/index.ts'
import type { PlannedChanges } from '../declaring.ts'
import { defineOperation, type Doing } from '../operation.ts'
import { licensingOffice } from '../parts.ts'
import { refusedDeclaration, type AdminRefusal } from '../refusal.ts'

const Tree = z
  .record(z.string().min(1).max(200), z.string().max(1_000_000))
  .refine((files) => Object.keys(files).length <= 10_000, 'these are more files than a tree may have')
  .openapi({
    description:
      'The files of tenants/, by their paths in it: { "lakeside-health/tenant.yaml": "tenant: …" }. All of them.',
  })
const Planned = z
  .object({
    plan_digest: z.string().openapi({ description: 'Of the changes; an apply names the plan that was read.' }),
    changes: z.array(z.looseObject({})),
    notes: z.array(z.string()),
    widening: z.array(z.object({ license: z.string(), widens: z.array(z.string()) })),
    text: z.string().openapi({ description: 'As a diff for people.' }),
  })
  .openapi('PlannedChanges')

const filesOf = (tree: Readonly<Record<string, string>>) => Object.entries(tree).map(([path, text]) => ({ path, text }))

/** A problem of a file: its pointer names the file, its words the line. */
const refuse = (problem: Parameters<ReturnType<typeof refusedDeclaration>>[0]): AdminRefusal => ({
  ...refusedDeclaration('')(problem),
  message: `${problem.file}:${problem.line}:${problem.column}  ${problem.message}`,
  pointer: `/tree/${problem.file.replaceAll('~', '~0').replaceAll('/', '~1')}`,
})

async function planOf(
  { tx, needs, by }: Doing,
  tree: Readonly<Record<string, string>>,
): Promise<Result<PlannedChanges, readonly AdminRefusal[]>> {
  const planned = await needs.declaring.plan(tx, filesOf(tree), by.now)
  return planned.ok ? planned : err(planned.error.map(refuse))
}

const digestOf = ({ needs }: Doing, { changes }: PlannedChanges): string =>
  Buffer.from(needs.hmac.sha256(digestKey, canonicalJson(changes as unknown as Json))).toString('hex')
const digestKey = new TextEncoder().encode('formulary plan digest')

const shown = (doing: Doing, plan: PlannedChanges) => ({ plan_digest: digestOf(doing, plan), ...plan })

export const planTree = defineOperation({
  id: 'planDeclarations',
  method: 'post',
  path: '/declarations/plan',
  tag: 'declarations',
  summary: 'What a tree of declarations would change. Changes nothing',
  roles: licensingOffice,
  body: z.strictObject({ tree: Tree }),
  answer: Planned,
  async run(doing, { body }) {
    const planned = await planOf(doing, body.tree)
    return planned.ok ? ok({ body: shown(doing, planned.value) }) : planned
  },
})

export const applyTree = defineOperation({
  id: 'applyDeclarations',
  method: 'post',
  path: '/declarations/apply',
  tag: 'declarations',
  summary:
    'Brings the house to what a tree says, all of it or nothing. What allows more than before takes a second person',
  roles: licensingOffice,
  body: z.strictObject({ tree: Tree, plan_digest: z.string().max(200) }),
  answer: Planned,
  creates: true,
  async run(doing, { body }) {
    const { tx, needs, by } = doing
    const planned = await planOf(doing, body.tree)
    if (!planned.ok) return planned
    const { widening } = planned.value
    if (digestOf(doing, planned.value) !== body.plan_digest)
      return err([
        {
          status: 409,
          reason: 'another_plan',
          message: 'This tree would not change what the plan said that you read.',
          advice: 'Plan it again, read it, and send its plan_digest.',
          pointer: '/plan_digest',
        },
      ])
    if (widening.length > 0 && by.approvedBy === undefined)
      return err([
        {
          status: 409,
          reason: 'second_person_needed',
          message: 'It would allow more than now.',
          widens: widening.flatMap(({ license, widens }) => widens.map((words) => `${license}: ${words}`)),
        },
      ])
    const applied = await needs.declaring.apply(tx, filesOf(body.tree), by)
    return applied.ok ? ok({ body: shown(doing, applied.value) }) : err(applied.error.map(refuse))
  },
})
