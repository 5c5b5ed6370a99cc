import { objectionToKey } from '../identity/index.ts'
import { repeatedNames } from './check-names.ts'
import type { Path, Problem } from './problem.ts'
import type { TenantFile } from './schema.ts'
import type { Source } from './source.ts'

type Client = TenantFile['applications'][number]['client']

/**
 * A client has its keys in one place, or no key where it authenticates by its certificate, and every declared key is one
 * that it could sign with.
 */
export function checkClient(source: Source, application: Path, client: Client): readonly Problem[] {
  if (client === undefined) return []
  const path = [...application, 'client']
  const { profile, jwks, jwksUri, certificates } = client
  if (client.senderConstraint !== undefined && profile !== 'fapi2')
    return [
      source.keyProblem([...path, 'senderConstraint'], {
        message: 'tokens of the profile smart are a bearer’s',
        advice: 'write profile: fapi2, or remove senderConstraint',
      }),
    ]
  if (certificates !== undefined && client.senderConstraint !== 'mtls')
    return [
      source.keyProblem([...path, 'certificates'], {
        message: 'certificates are for mutual TLS',
        advice: 'write senderConstraint: mtls, or remove certificates',
      }),
    ]
  if (jwksUri === undefined && jwks === undefined && certificates !== undefined) return []
  if ((jwksUri === undefined) === (jwks === undefined))
    return [
      source.keyProblem(path, {
        message: jwks === undefined ? 'client has no keys' : 'client has its keys in two places',
        advice: 'write either jwksUri: https://… or jwks: { keys: […] }',
      }),
    ]
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
