import { objectionToKey } from '../identity/index.ts'
import { repeatedNames } from './check-names.ts'
import type { Path, Problem } from './problem.ts'
import type { TenantFile } from './schema.ts'
import type { Source } from './source.ts'

type Client = TenantFile['applications'][number]['client']

/** A client has its keys in one place, and every declared key is one that it could sign with. */
export function checkClient(source: Source, application: Path, client: Client): readonly Problem[] {
  if (client === undefined) return []
  const path = [...application, 'client']
  if ((client.jwksUri === undefined) === (client.jwks === undefined))
    return [
      source.keyProblem(path, {
        message: client.jwks === undefined ? 'client has no keys' : 'client has its keys in two places',
        advice: 'write either jwksUri: https://… or jwks: { keys: […] }',
      }),
    ]
  const { profile, jwks } = client
  if (jwks === undefined) return []
  const keysPath = [...path, 'jwks', 'keys']
  return [
    ...repeatedNames(
      source,
      keysPath,
      'kid',
      jwks.keys.map(({ kid }) => kid),
    ),
    ...jwks.keys.flatMap((key, index) => {
      const objection = objectionToKey(key, profile)
      return objection === undefined
        ? []
        : [
            source.problem([...keysPath, index], {
              message: `this key ${objection}`,
              advice: 'declare the public side of a key that the client signs with, or another profile',
            }),
          ]
    }),
  ]
}
