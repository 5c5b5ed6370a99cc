import type { Account, Meter } from './account.ts'
import type { Emit } from './webhooks.ts'

/** Usage that was taken in and is not counted, as the thin event that tells of it, with samples only. */
export function reportUsageError(
  account: Account,
  of: { readonly meter: Meter; readonly identifier: string; readonly code: string },
  emit: Emit,
): void {
  const sample = { error_message: `The event cannot be counted: ${of.code}`, request: { identifier: of.identifier } }
  emit('v1.billing.meter.error_report_triggered', {
    related_object: { id: of.meter.id, type: 'billing.meter', url: `/v1/billing/meters/${of.meter.id}` },
    data: {
      developer_message_summary: 'There is 1 invalid event',
      reason: { error_count: 1, error_types: [{ code: of.code, error_count: 1, sample_errors: [sample] }] },
      validation_start: new Date(account.now * 1000).toISOString(),
      validation_end: new Date((account.now + 10) * 1000).toISOString(),
    },
  })
}
