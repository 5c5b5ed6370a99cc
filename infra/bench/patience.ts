import { machineUse, othersShare } from './process-cost.ts'

/** Others may use this part of the machine's cores beside a slice. */
const othersMax = 0.1
/** So long it must have been quiet before a slice is begun. */
const calmMs = 250

/**
 * Measures when nobody else does. Before a slice it waits until the machine is quiet, and a slice that others worked
 * beside is made again, as long as there is patience. What others do does not depend on who is being measured, so that
 * choosing slices by it favors none.
 */
export class Patience {
  readonly #giveUpAt: number
  readonly #cores: number
  #othersMs = 0
  #spanMs = 0
  again = 0

  constructor(options: { minutes: number; cores: number }) {
    this.#giveUpAt = performance.now() + options.minutes * 60_000
    this.#cores = options.cores
  }

  /** Of the slices that were kept: the part of the cores that others used. Absent where no system tells. */
  get othersShare(): number | undefined {
    return this.#spanMs === 0 ? undefined : this.#othersMs / this.#spanMs
  }

  async quietly<T>(work: () => Promise<T>): Promise<T> {
    for (;;) {
      await this.#calm()
      const before = machineUse()
      const result = await work()
      const after = machineUse()
      if (before === undefined || after === undefined) return result
      const others = othersShare(before, after, this.#cores)
      if (others > othersMax && this.#isPatient) {
        this.again++
        continue
      }
      this.#othersMs += others * (after.at - before.at)
      this.#spanMs += after.at - before.at
      return result
    }
  }

  get #isPatient(): boolean {
    return performance.now() < this.#giveUpAt
  }

  async #calm(): Promise<void> {
    while (this.#isPatient) {
      const before = machineUse()
      await new Promise((resolve) => {
        setTimeout(resolve, calmMs)
      })
      const after = machineUse()
      if (before === undefined || after === undefined || othersShare(before, after, this.#cores) <= othersMax) return
    }
  }
}
