import { z } from '@hono/zod-openapi'
import { err, ok, type Result } from '../../kernel/index.ts'
import type { Tx } from '../../db/index.ts'
import { Stage } from '../../policy/index.ts'
import {
  demoteVersion,
  loadVersions,
  promoteVersion,
  recallVersion,
  SignOffRole,
  signOffVersion,
  type Standing,
  type VersionRecord,
  type VersionRefusal,
  type VersionWish,
} from '../../release/index.ts'
import { defineOperation, type Doing, type Done } from '../operation.ts'
import { licensingOffice, Name, ownersPeople, Reason } from '../parts.ts'
import { notFound, refusedVersion } from '../refusal.ts'
import { shownVersion, versionEtag } from '../shown.ts'

const Version = z
  .looseObject({
    model: z.string(),
    version: z.string(),
    digest: z.string(),
    stage: z.string(),
    recalled: z.object({ reason: z.string(), at: z.string() }).nullable(),
    sign_offs: z.array(z.object({ to: z.string(), role: z.string(), by: z.string(), at: z.string() })),
    card: z.looseObject({ revision: z.int() }).nullable(),
    acts: z.array(z.looseObject({ act: z.string(), at: z.string() })),
  })
  .openapi('ModelVersion')
const ofVersion = z.object({ model: Name, version: Name })
type OfVersion = z.infer<typeof ofVersion>

const find = async (tx: Tx, { model, version }: OfVersion): Promise<VersionRecord | undefined> =>
  (await loadVersions(tx)).get(`${model}@${version}`)

async function replyOf({ tx }: Doing, name: OfVersion): Promise<Done> {
  const found = await find(tx, name)
  return found === undefined
    ? err([notFound('version', `${name.model}@${name.version}`)])
    : ok({ body: shownVersion(found), etag: versionEtag(found) })
}

export const listVersions = defineOperation({
  id: 'listVersions',
  method: 'get',
  path: '/models/{model}/versions',
  tag: 'versions',
  summary: 'The versions of a model, with their stages',
  roles: ownersPeople,
  params: z.object({ model: Name }),
  answer: z.object({ data: z.array(Version) }),
  async run({ tx }, { params }) {
    const found = [...(await loadVersions(tx)).values()].filter(({ model }) => model === params.model)
    return found.length === 0 ? err([notFound('model', params.model)]) : ok({ body: { data: found.map(shownVersion) } })
  },
})

export const getVersion = defineOperation({
  id: 'getVersion',
  method: 'get',
  path: '/models/{model}/versions/{version}',
  tag: 'versions',
  summary: 'A version: its digest, card, stage, sign-offs, and what was done to it',
  roles: ownersPeople,
  params: ofVersion,
  answer: Version,
  run: (doing, { params }) => replyOf(doing, params),
})

type Move = (tx: Tx, wish: VersionWish) => Promise<Result<Standing, readonly VersionRefusal[]>>

async function moved(doing: Doing, params: OfVersion, reason: string, move: Move): Promise<Done> {
  const { actor, now } = doing.by
  const done = await move(doing.tx, { ...params, reason, actor, now })
  return done.ok ? replyOf(doing, params) : err(done.error.map(refusedVersion))
}

const etagOf = async ({ tx }: Doing, params: OfVersion): Promise<string | undefined> => {
  const found = await find(tx, params)
  return found === undefined ? undefined : versionEtag(found)
}

const on = {
  method: 'post',
  tag: 'versions',
  roles: licensingOffice,
  params: ofVersion,
  answer: Version,
  etagOf,
} as const
const below = '/models/{model}/versions/{version}'
const Step = z.strictObject({ to: Stage, reason: Reason })

export const promoteOneVersion = defineOperation({
  ...on,
  id: 'promoteVersion',
  path: `${below}/promote`,
  summary: 'One step up: with a complete card, both sign-offs, and notice that has run out',
  body: Step,
  guard: 'required',
  run: (doing, { params, body }) =>
    moved(doing, params, body.reason, (tx, wish) => promoteVersion(tx, { ...wish, to: body.to })),
})

export const demoteOneVersion = defineOperation({
  ...on,
  id: 'demoteVersion',
  path: `${below}/demote`,
  summary: 'Back any number of steps, at once',
  body: Step,
  guard: 'optional',
  run: (doing, { params, body }) =>
    moved(doing, params, body.reason, (tx, wish) => demoteVersion(tx, { ...wish, to: body.to })),
})

export const recallOneVersion = defineOperation({
  ...on,
  id: 'recallVersion',
  path: `${below}/recall`,
  summary: 'For good: new calls are refused within a second, open streams are cut within five',
  body: z.strictObject({ reason: Reason }),
  guard: 'optional',
  run: (doing, { params, body }) => moved(doing, params, body.reason, recallVersion),
})

export const signOffOneVersion = defineOperation({
  ...on,
  id: 'signOffVersion',
  path: `${below}/sign-offs`,
  summary: 'You sign, in a role, that a version may take its next step',
  body: Step.extend({ role: SignOffRole }),
  guard: 'optional',
  run: (doing, { params, body }) => {
    const { actor, now } = doing.by
    const signOff = { to: body.to, role: body.role, by: actor.name, at: now }
    return moved(doing, params, body.reason, (tx, wish) => signOffVersion(tx, { ...wish, signOff }))
  },
})
