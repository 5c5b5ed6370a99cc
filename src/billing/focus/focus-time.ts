import { isoOf, type Instant } from '../../kernel/index.ts'

/** As FOCUS tells a moment: UTC, to the second. */
export const focusTime = (at: Instant | string): string =>
  (typeof at === 'string' ? at : isoOf(at)).replace(/\.\d+Z$/, 'Z')
