import { RefusedAddresses, SeenProofs } from '../../src/identity/index.ts'

/** What `authenticate` needs besides keys, where there are no clients and nobody issues tokens. */
export const noTokens = {
  findClient: () => undefined,
  findClientAgain: () => Promise.resolve(undefined),
  issuer: () => undefined,
  signing: undefined,
  proofs: new SeenProofs(),
  shareProof: () => Promise.resolve('first' as const),
  refusedAddresses: new RefusedAddresses(),
  monotonicMs: () => 0,
} as const
