/** A broken promise of our own code. It is thrown, never caught to go on; the outside sees only a request id. */
export class Bug extends Error {
  override readonly name = 'Bug'
}

export function assert(condition: unknown, message: string): asserts condition {
  if (condition === false || condition === undefined || condition === null) throw new Bug(message)
}

/** Makes a `switch` over a union exhaustive: a new member does not compile until it has its case. */
export function assertNever(value: never, what: string): never {
  throw new Bug(`${what} has no case for ${JSON.stringify(value)}`)
}
