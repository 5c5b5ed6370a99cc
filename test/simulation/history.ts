/** What happened, one line each, kept only while somebody wants to read it. */
export class History {
  readonly #lines: string[] = []
  readonly #isKept: boolean

  constructor(isKept: boolean) {
    this.#isKept = isKept
  }

  /** `words` are made only when they are kept. */
  note(atMs: number, who: string, words: () => string): void {
    if (this.#isKept) this.#lines.push(`${String(atMs).padStart(6)} ms  ${who.padEnd(8)}  ${words()}`)
  }

  get lines(): readonly string[] {
    return this.#lines
  }
}
