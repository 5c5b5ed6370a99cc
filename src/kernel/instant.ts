declare const unit: unique symbol
/** Milliseconds since 1970-01-01T00:00:00Z. */
export type Instant = number & { readonly [unit]: 'instant' }

export const instant = (milliseconds: number): Instant => milliseconds as Instant
export const instantOf = (date: Date): Instant => date.getTime() as Instant
export const isoOf = (at: Instant): string => new Date(at).toISOString()
export const plusMs = (at: Instant, milliseconds: number): Instant => (at + milliseconds) as Instant
export const plusDays = (at: Instant, days: number): Instant => (at + days * 86_400_000) as Instant
