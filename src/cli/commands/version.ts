import { parseArgs } from 'node:util'
import { isoOf, type Instant, type Result } from '../../kernel/index.ts'
import { systemTransaction, type Database, type Tx } from '../../db/index.ts'
import type { Actor } from '../../identity/index.ts'
import { Stage, stages } from '../../policy/index.ts'
import {
  demoteVersion,
  loadVersions,
  promoteVersion,
  recallVersion,
  SignOffRole,
  signOffRoles,
  signOffVersion,
  wordsForVersion,
  type Standing,
  type VersionRecord,
  type VersionRefusal,
} from '../../release/index.ts'
import { reportMisuse, reportRefusal, type Io } from '../report.ts'

export interface VersionIo extends Io {
  readonly now: Instant
  readonly database: Database
}

interface Options {
  readonly to: string | undefined
  readonly role: string | undefined
  readonly by: string | undefined
  readonly reason: string
}

type Moved = Result<Standing, readonly VersionRefusal[]>

/** `formulary version show|sign-off|promote|demote|recall <model>@<version>`. A recall holds everywhere within a second. */
export async function runVersion(args: readonly string[], io: VersionIo): Promise<0 | 1 | 2> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { to: { type: 'string' }, role: { type: 'string' }, by: { type: 'string' }, reason: { type: 'string' } },
  })
  const [verb, name, ...more] = positionals
  if (verb === undefined || !verbs.includes(verb))
    return reportMisuse(io, `what about versions? formulary version ${verbs.join('|')} <model>@<version>`)
  const [model, version] = splitName(name)
  if (model === undefined || version === undefined || more.length > 0)
    return reportMisuse(io, `which version? formulary version ${verb} <model>@<version>`)
  if (verb === 'show') return show(io, `${model}@${version}`)
  return act(io, {
    model,
    version,
    verb,
    options: { reason: '', to: undefined, role: undefined, by: undefined, ...values },
  })
}

const verbs: readonly string[] = ['show', 'sign-off', 'promote', 'demote', 'recall']

function splitName(name: string | undefined): readonly [string | undefined, string | undefined] {
  const at = name?.lastIndexOf('@') ?? -1
  return at <= 0 ? [name, undefined] : [name?.slice(0, at), name?.slice(at + 1)]
}

async function act(
  io: VersionIo,
  { model, version, verb, options }: { model: string; version: string; verb: string; options: Options },
): Promise<0 | 1 | 2> {
  const { reason, by = 'cli' } = options
  if (reason.trim() === '')
    return reportMisuse(io, `say why: formulary version ${verb} ${model}@${version} --reason "…"`)
  const actor: Actor = { kind: 'command', name: by, roles: ['licensing'], tenantId: undefined }
  const wish = { model, version, reason, actor, now: io.now }
  if (verb === 'recall') return perform(io, wish, (tx) => recallVersion(tx, wish))
  const to = Stage.safeParse(options.to)
  if (!to.success) return reportMisuse(io, `say to which stage: --to ${stages.join('|')}`)
  if (verb === 'promote') return perform(io, wish, (tx) => promoteVersion(tx, { ...wish, to: to.data }))
  if (verb === 'demote') return perform(io, wish, (tx) => demoteVersion(tx, { ...wish, to: to.data }))
  const role = SignOffRole.safeParse(options.role)
  if (!role.success || options.by === undefined)
    return reportMisuse(io, `say who signs, and as what: --by "Dr. Ada Moreno" --role ${signOffRoles.join('|')}`)
  const signOff = { to: to.data, role: role.data, by, at: io.now }
  return perform(io, wish, (tx) => signOffVersion(tx, { ...wish, signOff }))
}

async function perform(
  io: VersionIo,
  { model, version }: { model: string; version: string },
  work: (tx: Tx) => Promise<Moved>,
): Promise<0 | 1> {
  const moved = await systemTransaction(io.database, 'administer', work)
  if (!moved.ok) {
    const words = moved.error.map(wordsForVersion).map(({ message, advice }) => `${message}; ${advice}`)
    return reportRefusal(io, moved.error[0]?.reason ?? 'refused', words.join('\n           '))
  }
  const { stage, recalled } = moved.value
  if (io.json) io.out(JSON.stringify({ model, version, stage, recalled: recalled !== undefined }))
  else
    io.out(`${model} ${version} is ${recalled === undefined ? `at stage ${stage}` : `recalled: ${recalled.reason}`}.`)
  return 0
}

async function show(io: VersionIo, name: string): Promise<0 | 1> {
  const versions = await systemTransaction(io.database, 'administer', (tx) => loadVersions(tx))
  const found = versions.get(name)
  if (found === undefined) return reportRefusal(io, 'version_not_found', `there is no version ${name}`)
  if (io.json) io.out(JSON.stringify(shown(found)))
  else for (const line of told(found)) io.out(line)
  return 0
}

const shown = ({ model, version, digest, standing, card, acts }: VersionRecord) => ({
  model,
  version,
  digest: `sha256:${digest}`,
  stage: standing.stage,
  recalled: standing.recalled === undefined ? null : { ...standing.recalled, at: isoOf(standing.recalled.at) },
  signOffs: standing.signOffs.map(({ to, role, by, at }) => ({ to, role, by, at: isoOf(at) })),
  card: card === undefined ? null : { revision: card.revision, digest: `sha256:${card.digest}`, ...card.card },
  acts: acts.map((one) => ({ ...one, at: isoOf(one.at) })),
})

function told({ model, version, digest, standing, card, acts }: VersionRecord): readonly string[] {
  const { stage, recalled } = standing
  return [
    `${model} ${version} is at stage ${stage}${recalled === undefined ? '' : `, and recalled since ${isoOf(recalled.at)}: ${recalled.reason}`}`,
    `digest  sha256:${digest}`,
    `card    ${card === undefined ? 'none' : `revision ${card.revision}`}`,
    ...acts.map(
      (one) => `act     ${isoOf(one.at)} ${one.act}${'to' in one ? ` to ${one.to}` : ''} by ${one.by}: ${one.reason}`,
    ),
  ]
}
