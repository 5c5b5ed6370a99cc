/**
 * Content: a prompt, an answer, a secret. It prints as `[sensitive]` wherever it is printed by mistake; reading it
 * takes a call of `reveal`, which is easy to find in review.
 */
export class Sensitive<T> {
  readonly #value: T

  constructor(value: T) {
    this.#value = value
  }

  reveal(): T {
    return this.#value
  }

  toString(): string {
    return '[sensitive]'
  }

  toJSON(): string {
    return '[sensitive]'
  }

  // What console.log and util.inspect ask for.
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return '[sensitive]'
  }
}
