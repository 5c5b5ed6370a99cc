import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { PublicJwk } from '../../../src/identity/index.ts'
import type { Algorithm } from '../../../src/identity/client.ts'
import { readJws, verifyJws } from '../../../src/identity/jws.ts'

/** Project Wycheproof's vectors (Apache-2.0), as they were published; every asymmetric algorithm is allowed here. */
const algorithms: readonly Algorithm[] = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'].map(
    (alg) => ({ alg, kty: 'RSA', crv: undefined }) as const,
  ),
  { alg: 'ES256', kty: 'EC', crv: 'P-256' },
  { alg: 'ES384', kty: 'EC', crv: 'P-384' },
]

const Key = z.looseObject({ kty: z.string() })
const Group = z.looseObject({
  comment: z.string(),
  public: z.unknown().optional(),
  private: z.unknown().optional(),
  tests: z.array(
    z.looseObject({
      tcId: z.int(),
      comment: z.string(),
      jws: z.unknown(),
      result: z.enum(['valid', 'invalid', 'acceptable']),
    }),
  ),
})
const File = z.object({ testGroups: z.array(Group) })

/** The keys of a group; where only private ones are given, their public sides. */
function keysOf(group: z.infer<typeof Group>): readonly z.infer<typeof Key>[] {
  const given = group.public ?? group.private
  const set = z.object({ keys: z.array(Key) }).safeParse(given)
  return set.success ? set.data.keys : [Key.parse(given)]
}

async function accepts(text: unknown, keys: readonly z.infer<typeof Key>[]): Promise<boolean> {
  const jws = typeof text === 'string' ? readJws(text, 100_000) : undefined
  if (jws === undefined) return false
  const named = keys.map((key) => ({ ...key, kid: key['kid'] ?? jws.header['kid'] ?? 'only' }))
  const read = named.flatMap((key) => {
    const parsed = PublicJwk.safeParse(key)
    return parsed.success ? [parsed.data] : []
  })
  const kid = jws.header['kid'] ?? read[0]?.kid
  return (await verifyJws({ ...jws, header: { ...jws.header, kid } }, read, algorithms)) === 'verified'
}

/** Called valid there, though the key says that it is for another algorithm than the header: PS256 and PS384, ES521 and ES512. */
const strict: Readonly<Record<string, readonly string[]>> = {
  'json_web_signature_test.json': [
    'rfc7520 346 Figure20',
    'rfc7520 347 Figure27',
    'rfc7520WithKeyOps 350 Figure20',
    'rfc7520WithKeyOps 351 Figure27',
  ],
}

test.each([
  ['json_web_signature_test.json', 340],
  ['json_web_key_test.json', 15],
])('no invalid vector of %s is accepted', async (name, invalidMin) => {
  const file = File.parse(JSON.parse(await readFile(new URL(name, import.meta.url), 'utf8')))
  const accepted: string[] = []
  const refused: string[] = []
  let invalid = 0
  for (const group of file.testGroups)
    for (const vector of group.tests) {
      const isAccepted = await accepts(vector.jws, keysOf(group))
      if (vector.result === 'invalid') invalid++
      if (vector.result === 'invalid' && isAccepted) accepted.push(`${group.comment} ${vector.tcId} ${vector.comment}`)
      // Secrets are no keys here: what they verify is refused, and that is right.
      const isAsymmetric = keysOf(group).every(({ kty }) => kty !== 'oct')
      if (vector.result === 'valid' && isAsymmetric && !isAccepted)
        refused.push(`${group.comment} ${vector.tcId} ${vector.comment}`)
    }
  expect(accepted).toEqual([])
  expect(refused).toEqual(strict[name] ?? [])
  expect(invalid).toBeGreaterThanOrEqual(invalidMin)
})
