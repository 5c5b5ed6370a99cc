/** What the network does to one message. Times are milliseconds. */
export type Fate =
  | { readonly kind: 'ordinary'; readonly thereMs: number; readonly backMs: number }
  /** Both ways work, slowly. */
  | { readonly kind: 'slow'; readonly thereMs: number; readonly backMs: number }
  /** Nothing happens, and the sender is told so after a while. */
  | { readonly kind: 'request lost'; readonly toldMs: number }
  /** It happens, but the sender is told that it failed. */
  | { readonly kind: 'answer lost'; readonly thereMs: number; readonly toldMs: number }
  /** The sender is told that it failed, and afterwards it happens all the same. */
  | { readonly kind: 'late'; readonly toldMs: number; readonly thereMs: number }

export type Disturbance = Exclude<Fate['kind'], 'ordinary'>
/** How many of a thousand messages meet each disturbance. */
export type Disturbances = Readonly<Record<Disturbance, number>>

/** A number from 0 up to, not including, 1, that depends on nothing but its seed and its name. */
export function drawn(seed: number, name: string): number {
  let mixed = (seed ^ 0x811c9dc5) >>> 0
  for (let index = 0; index < name.length; index++) mixed = Math.imul(mixed ^ name.charCodeAt(index), 0x01000193)
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return ((mixed ^ (mixed >>> 16)) >>> 0) / 4_294_967_296
}

/** The fate of a message, by its name: what else happens in a schedule does not change it. */
export function fateOf(seed: number, name: string, rates: Disturbances, isCalm: boolean): Fate {
  // One draw is cut into several: its leading digits decide, the others measure.
  const luck = drawn(seed, name)
  const [there, back] = [(luck * 7919) % 1, (luck * 104_729) % 1]
  const ordinary = { kind: 'ordinary', thereMs: 1 + Math.floor(there * 3), backMs: 1 + Math.floor(back * 3) } as const
  if (isCalm) return ordinary
  let mark = luck * 1000
  if ((mark -= rates.slow) < 0)
    return { kind: 'slow', thereMs: 1 + Math.floor(there * there * 900), backMs: 1 + Math.floor(back * back * 900) }
  if ((mark -= rates['request lost']) < 0) return { kind: 'request lost', toldMs: 2 + Math.floor(back * back * 1500) }
  if ((mark -= rates['answer lost']) < 0) {
    const toldMs = ordinary.thereMs + 1 + Math.floor(back * back * 1500)
    return { kind: 'answer lost', thereMs: ordinary.thereMs, toldMs }
  }
  if ((mark -= rates.late) < 0) {
    const toldMs = 2 + Math.floor(back * back * 600)
    return { kind: 'late', toldMs, thereMs: toldMs + 1 + Math.floor(there * there * 3000) }
  }
  return ordinary
}
