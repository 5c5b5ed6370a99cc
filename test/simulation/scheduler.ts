interface Entry {
  readonly at: number
  readonly order: number
  readonly run: () => void
  canceled: boolean
}

/** Simulated time and what happens in it, one thing at a time. What is due at the same moment runs in the order it was planned. */
export class Scheduler {
  now = 0
  #planned = 0
  readonly #heap: Entry[] = []

  at(time: number, run: () => void): { cancel(): void } {
    const entry: Entry = { at: Math.max(time, this.now), order: this.#planned++, run, canceled: false }
    this.#push(entry)
    return {
      cancel: () => {
        entry.canceled = true
      },
    }
  }

  after(milliseconds: number, run: () => void): { cancel(): void } {
    return this.at(this.now + milliseconds, run)
  }

  /** Lets the next thing happen; false when nothing is left. */
  step(): boolean {
    for (;;) {
      const next = this.#pop()
      if (next === undefined) return false
      if (next.canceled) continue
      this.now = next.at
      next.run()
      return true
    }
  }

  #push(entry: Entry): void {
    const heap = this.#heap
    let index = heap.push(entry) - 1
    while (index > 0) {
      const parent = (index - 1) >> 1
      const above = heap[parent]
      if (above === undefined || isBefore(above, entry)) break
      heap[index] = above
      index = parent
    }
    heap[index] = entry
  }

  #pop(): Entry | undefined {
    const heap = this.#heap
    const first = heap[0]
    const last = heap.pop()
    if (first === undefined || last === undefined || heap.length === 0) return first
    let index = 0
    for (;;) {
      let child = 2 * index + 1
      const [left, right] = [heap[child], heap[child + 1]]
      if (left === undefined) break
      let least = left
      if (right !== undefined && isBefore(right, left)) {
        least = right
        child++
      }
      if (isBefore(last, least)) break
      heap[index] = least
      index = child
    }
    heap[index] = last
    return first
  }
}

const isBefore = (a: Entry, b: Entry): boolean => a.at < b.at || (a.at === b.at && a.order < b.order)
