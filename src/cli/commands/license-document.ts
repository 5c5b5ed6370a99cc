import { readFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { z } from 'zod'
import { isoOf, instant, type Instant } from '../../kernel/index.ts'
import { systemTransaction, type Database } from '../../db/index.ts'
import { readSigningKeys } from '../../identity/index.ts'
import {
  documentRefusalInWords,
  loadDocumentFacts,
  loadLicenses,
  loadOwnerName,
  revisionAt,
  signLicense,
  signRevocations,
  verifyLicense,
} from '../../licensing/index.ts'
import { ConfigError } from '../../platform/node/config.ts'
import { readInstant } from '../read-values.ts'
import { reportMisuse, reportRefusal, type Io } from '../report.ts'

export interface DocumentIo extends Io {
  readonly now: Instant
  readonly database: Database
  readonly signingKey: string | undefined
}

/** The verbs of `formulary license` that sign: a license's document, the list of revocations, the published keys. */
export const signingVerbs: ReadonlySet<string> = new Set(['document', 'revocations', 'keys'])

/** `formulary license document <license>`, `revocations`, `keys`: one document on stdout, for a file. */
export async function runLicenseDocument(args: readonly string[], io: DocumentIo): Promise<0 | 1 | 2> {
  const { positionals } = parseArgs({ args: [...args], allowPositionals: true })
  const [verb, license, ...more] = positionals
  if (more.length > 0 || (verb !== 'document' && license !== undefined))
    return reportMisuse(io, `\`license ${verb}\` does not take \`${more[0] ?? license}\``)
  if (io.signingKey === undefined)
    throw new ConfigError('SIGNING_KEY is not set: nothing can be signed or published without it')
  const keys = await readSigningKeys(io.signingKey)
  if (verb === 'keys') return shown(io, JSON.stringify(keys.published, null, 2))
  const read = <T>(work: Parameters<typeof systemTransaction<T>>[2]) =>
    systemTransaction(io.database, 'administer', work)
  if (verb === 'revocations') {
    const facts = await read(async (tx) => ({
      licenses: await loadLicenses(tx, 'all'),
      owner: await loadOwnerName(tx),
    }))
    return shown(io, await signRevocations(keys, { ...facts, tenant: undefined, now: io.now }))
  }
  if (license === undefined) return reportMisuse(io, 'whose? formulary license document <license>')
  const found = await read((tx) => loadDocumentFacts(tx, license))
  const revision = found === undefined ? undefined : revisionAt(found.facts, io.now)
  if (found === undefined || revision === undefined)
    return reportRefusal(io, 'license_not_found', `there is no license ${license} in effect`)
  const { owner, tenant, facilities } = found
  return shown(io, await signLicense(keys, { owner, tenant, facilities, serial: license, revision, now: io.now }))
}

function shown(io: Io, document: string): 0 {
  io.out(io.json ? JSON.stringify({ document }) : document)
  return 0
}

const Jwks = z.object({ keys: z.array(z.unknown()) })

/** `formulary license verify <file> --keys jwks.json`: needs no server and no database, only the published keys. */
export async function runLicenseVerify(
  args: readonly string[],
  io: Io & { readonly now: Instant },
): Promise<0 | 1 | 2> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { keys: { type: 'string' }, revocations: { type: 'string' }, at: { type: 'string' } },
  })
  const [, file, ...more] = positionals
  if (file === undefined || more.length > 0 || values.keys === undefined)
    return reportMisuse(io, 'formulary license verify <file> --keys jwks.json [--revocations <file>] [--at <instant>]')
  const at = values.at === undefined ? io.now : readInstant(values.at)
  if (at === undefined) return reportMisuse(io, '--at must be a day or a time with its zone')
  const texts = await Promise.all([file, values.keys, values.revocations].map(readText))
  const unreadable = [file, values.keys, values.revocations].find(
    (path, index) => path !== undefined && texts[index] === undefined,
  )
  if (unreadable !== undefined) return reportMisuse(io, `${unreadable} cannot be read`)
  const [document = '', keysText = '', revocations] = texts
  const keys = Jwks.safeParse(parseJson(keysText))
  if (!keys.success) return reportMisuse(io, `${values.keys} is no key set: { "keys": [ … ] }`)
  const verified = await verifyLicense(document.trim(), { keys: keys.data, revocations: revocations?.trim(), at })
  if (!verified.ok) return reportRefusal(io, verified.error.reason, documentRefusalInWords(verified.error))
  const { serial, revision, sub, iss, nbf, exp } = verified.value
  const [from, until] = [nbf, exp].map((seconds) => isoOf(instant(seconds * 1000)))
  if (io.json) io.out(JSON.stringify({ ...verified.value, validFrom: from, validUntil: until }))
  else {
    io.out(`${serial}, revision ${revision}, granted by ${iss} to ${sub}: valid from ${from} until ${until}.`)
    if (revocations === undefined) io.out('Not checked: whether it was revoked since. --revocations says.')
  }
  return 0
}

const readText = (path: string | undefined): Promise<string | undefined> =>
  path === undefined ? Promise.resolve(undefined) : readFile(path, 'utf8').catch(() => undefined)

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
