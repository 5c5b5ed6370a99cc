import { z } from 'zod'

const Count = z.string().regex(/^-?\d{1,38}$/)
const Money = z.record(z.string(), Count)

/** What a run counted: each side by itself, and what agreed. Whole numbers as text; money in picos by currency. */
export const Figures = z.strictObject({
  calls: z.strictObject({
    ours: z.strictObject({ calls: Count, input: Count, output: Count, picos: Money }),
    theirs: z.strictObject({ lines: Count, input: Count, output: Count }),
    agreed: z.strictObject({ calls: Count, input: Count, output: Count, picos: Money }),
  }),
  /** Undefined where Stripe is not in use. */
  stripe: z
    .strictObject({
      hours: z.strictObject({ ours: Count, theirs: Count, agreed: Count }),
      lines: z.strictObject({ ours: Money, theirs: Money, agreed: Money }),
    })
    .optional(),
  /** Deployments that served calls and of which no report stands. */
  unreported: z.array(z.strictObject({ deployment: z.string(), calls: Count })),
  /** Differences by class, those that were found before and are worked off included. */
  classes: z.record(z.string(), z.int()),
})
export type Figures = z.infer<typeof Figures>
