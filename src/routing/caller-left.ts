/** Whether the caller is still there. Told once by the edge; whoever waits on the caller's behalf is told at once. */
export class CallerLeft {
  left = false
  #tell: (() => void) | undefined

  /** One listener: the step of the call that has something to stop. A later step replaces an earlier one. */
  onLeave(tell: () => void): void {
    this.#tell = tell
    if (this.left) tell()
  }

  leave(): void {
    if (this.left) return
    this.left = true
    this.#tell?.()
  }
}
