import { networkOf } from './ip-address.ts'

/** Of one network, in one window. A conformance suite stays below it; a flood is above it within a second. */
export const refusedMax = 1_000
export const windowSeconds = 60
/** The oldest is forgotten for a new one: memory stays what it is, whoever comes. */
const networksMax = 10_000

/**
 * How many credentials were refused lately, by the network that they came from. Only what is refused is counted, and only
 * what would be refused is hurried: a hospital whose one address also sends wrong keys by the thousand is never locked
 * out, because a right one is looked at first and is taken. One that was made this moment is taken with the next poll.
 */
export class RefusedAddresses {
  readonly #byNetwork = new Map<string, { readonly beganMs: number; refused: number }>()

  isOver(address: string | undefined, nowMs: number): boolean {
    if (address === undefined) return false
    const counted = this.#byNetwork.get(networkOf(address))
    return counted !== undefined && nowMs - counted.beganMs < windowSeconds * 1000 && counted.refused >= refusedMax
  }

  note(address: string | undefined, nowMs: number): void {
    if (address === undefined) return
    const network = networkOf(address)
    const counted = this.#byNetwork.get(network)
    if (counted !== undefined && nowMs - counted.beganMs < windowSeconds * 1000) {
      counted.refused++
      return
    }
    this.#byNetwork.delete(network)
    const [oldest] = this.#byNetwork.keys()
    if (this.#byNetwork.size >= networksMax && oldest !== undefined) this.#byNetwork.delete(oldest)
    this.#byNetwork.set(network, { beganMs: nowMs, refused: 1 })
  }

  get size(): number {
    return this.#byNetwork.size
  }
}
