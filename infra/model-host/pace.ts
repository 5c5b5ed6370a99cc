import type { Knobs } from './knobs.ts'

/** Milliseconds before a piece that is not the first. Unless told otherwise 0, 1 and 2 in turn: uneven, and no dice. */
export function pauseBefore(index: number, knobs: Knobs): number {
  return knobs.chunkMs ?? index % 3
}
