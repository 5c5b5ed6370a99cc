import { runSlice, type Slice, type SliceOrder } from './run-slice.ts'

/** What the load generator's process answers to an order. */
export type SliceAnswer = { readonly slice: Slice } | { readonly error: string }

// A process of its own, so that neither the orchestrator's work nor its garbage is in the figures. It ends with its parent.
process.on('disconnect', () => process.exit(0))
process.on('SIGINT', () => {})
process.on('message', (order: SliceOrder) => {
  runSlice(order).then(
    (slice) => answer({ slice }),
    (error: unknown) => answer({ error: error instanceof Error ? error.message : 'the slice failed' }),
  )
})
process.send?.({ ready: true })

function answer(message: SliceAnswer): void {
  process.send?.(message)
}
