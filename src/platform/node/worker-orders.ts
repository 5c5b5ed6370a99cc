import { z } from 'zod'

/** What the supervisor hands to each gateway process, in one environment variable. */
export const WorkerOrders = z.object({
  databaseUrl: z.string(),
  databaseRole: z.string().optional(),
  keyPepper: z.string(),
  signingKey: z.string().optional(),
  demoHostUrl: z.string().optional(),
})
export type WorkerOrders = z.infer<typeof WorkerOrders>

export const ordersVariable = 'FORMULARY_WORKER_ORDERS'
