import type { HostUsageRow } from './usage-log.ts'

export const reportFormats = ['csv', 'json'] as const
export type ReportFormat = (typeof reportFormats)[number]

export const reportHeader = 'request_id,at,model,input_units,output_units,status,attempt\n'

/**
 * The log as a model host would send it to whoever licenses its use: one line per call, in the columns that
 * `formulary host-usage import` reads. A predictor's input is its inferences.
 */
export function reportLine(row: HostUsageRow, format: ReportFormat): string {
  const inferences = row.operation === 'infer' && row.status === 200 && row.finished === 'complete' ? 1 : 0
  const line = {
    request_id: row.requestId ?? '',
    at: row.at,
    model: row.model,
    input_units: row.operation === 'infer' ? inferences : row.inputTokens,
    output_units: row.outputTokens,
    status: row.status,
    attempt: row.attempt,
  }
  if (format === 'json') return `${JSON.stringify(line)}\n`
  return `${Object.values(line)
    .map((value) => cell(String(value)))
    .join(',')}\n`
}

const cell = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)
