/** Something that could not be started: one line for the operator, no stack. */
export class StartError extends Error {
  override readonly name = 'StartError'
}
