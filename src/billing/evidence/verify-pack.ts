import { z } from 'zod'
import { parseAmount, type StartSha256 } from '../../kernel/index.ts'
import { checkFocus, type FocusFile } from '../focus-check/check-focus.ts'
import { readDocument, type InvoiceDocument } from '../read-document.ts'
import { ratedCsv } from './rated-csv.ts'
import { readTar, TarError } from './tar.ts'

const Manifest = z.strictObject({
  pack: z.literal('formulary-period-evidence/1'),
  tenant: z.string(),
  license: z.string(),
  month: z.string(),
  closing: z.int(),
  usageSha256: z.string(),
  lateSha256: z.string(),
  invoice: z.string().optional(),
  files: z.array(z.strictObject({ path: z.string(), bytes: z.int(), sha256: z.string() })),
})

export interface PackVerified {
  readonly license: string
  readonly month: string
  readonly invoice: string | undefined
  readonly manifestSha256: string
  readonly files: number
  /** What is not as it has to be, a sentence each; nothing when all is. */
  readonly differences: readonly string[]
}

/** Files that are looked into have at most so many characters; of the usage only the hash is made. */
const textCharsMax = 200_000_000

/**
 * Looks at an archive of evidence with nothing else at hand: that it has the files of its manifest and no other, byte for
 * byte; that the usage is what the month was frozen under, by the closing and by the invoice; that the invoice's other forms
 * say what its document says; that the journal sums to zero and asks for the invoice's total; and that the FOCUS files break
 * no rule and bill that total. Undefined for what is no such archive.
 */
export async function verifyPack(
  archive: AsyncIterable<Uint8Array>,
  startSha256: StartSha256,
): Promise<PackVerified | undefined> {
  try {
    return await verify(archive, startSha256)
  } catch (error) {
    if (error instanceof TarError || error instanceof z.ZodError || error instanceof SyntaxError) return undefined
    throw error
  }
}

async function verify(archive: AsyncIterable<Uint8Array>, startSha256: StartSha256): Promise<PackVerified> {
  const digests = new Map<string, { bytes: number; sha256: string }>()
  const texts = new Map<string, string>()
  const differences: string[] = []
  for await (const { name, bytes, pieces } of readTar(archive)) {
    const digest = startSha256()
    const isKept = !name.startsWith('usage') && bytes <= textCharsMax
    const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
    let text = ''
    for await (const piece of pieces) {
      const part = decoder.decode(piece, { stream: true })
      digest.update(part)
      if (isKept) text += part
    }
    digest.update(decoder.decode())
    if (digests.has(name)) differences.push(`${name} stands twice`)
    digests.set(name, { bytes, sha256: digest.hex() })
    if (isKept) texts.set(name, text)
  }
  const manifest = Manifest.parse(JSON.parse(texts.get('manifest.json') ?? ''))
  const invoice = texts.has('invoice.json') ? readDocument(texts.get('invoice.json') ?? '') : undefined
  differences.push(
    ...comparedFiles(manifest, digests),
    ...comparedUsage(manifest, invoice),
    ...(invoice === undefined ? [] : comparedForms(invoice, texts)),
    ...comparedJournal(texts.get('journal.csv') ?? '', invoice),
    ...(await comparedFocus(texts, invoice)),
  )
  return {
    license: manifest.license,
    month: manifest.month,
    invoice: manifest.invoice,
    manifestSha256: digests.get('manifest.json')?.sha256 ?? '',
    files: manifest.files.length,
    differences,
  }
}

type Manifest = z.infer<typeof Manifest>

function comparedFiles(
  { files, usageSha256, lateSha256 }: Manifest,
  digests: ReadonlyMap<string, { bytes: number; sha256: string }>,
): readonly string[] {
  const named = new Set(['manifest.json', ...files.map(({ path }) => path)])
  const required = ['closing.json', 'usage.csv', 'usage-late.csv', 'journal.csv', 'audit.jsonl']
  return [
    ...files.flatMap(({ path, bytes, sha256 }) => {
      const found = digests.get(path)
      if (found === undefined) return [`${path} is missing`]
      return found.bytes === bytes && found.sha256 === sha256 ? [] : [`${path} is not what the manifest names`]
    }),
    ...[...digests.keys()].filter((name) => !named.has(name)).map((name) => `${name} is not in the manifest`),
    ...required.filter((name) => !named.has(name)).map((name) => `the manifest has no ${name}`),
    ...(digests.get('usage.csv')?.sha256 === usageSha256 ? [] : ['usage.csv is not what the month was frozen under']),
    ...(digests.get('usage-late.csv')?.sha256 === lateSha256
      ? []
      : ['usage-late.csv is not what the month was frozen under']),
  ]
}

const comparedUsage = (
  { usageSha256, lateSha256, invoice: number }: Manifest,
  invoice: InvoiceDocument | undefined,
) => [
  ...(number === invoice?.number ? [] : ['the invoice is not the one that the manifest names']),
  ...(invoice?.proof === undefined ||
  (invoice.proof.usageSha256 === usageSha256 && invoice.proof.lateSha256 === lateSha256)
    ? []
    : ['the invoice was made from other usage']),
]

/** How a page or a table looks may change with a version of ours; what stands in it may not. */
function comparedForms(invoice: InvoiceDocument, texts: ReadonlyMap<string, string>): readonly string[] {
  const [header = '', ...rows] = (texts.get('invoice.csv') ?? '').split('\r\n')
  const at = cellsOf(header).indexOf('amount')
  const told = rows.reduce((all, row) => all + (row === '' ? 0n : signed(cellsOf(row)[at] ?? '0')), 0n)
  const sum = invoice.lines.reduce((all, { amount }) => all + signed(amount), 0n)
  const page = texts.get('invoice.html') ?? ''
  return [
    ...(texts.get('rated-lines.csv') === ratedCsv(invoice) ? [] : ['rated-lines.csv is not made from invoice.json']),
    ...(told === signed(invoice.total) ? [] : ['invoice.csv does not add up to the total of the invoice']),
    ...(page.includes(invoice.number) ? [] : ['invoice.html is not of the invoice']),
    ...(sum === signed(invoice.total) ? [] : ['the lines of the invoice do not add up to its total']),
  ]
}

/** The cells of our own journal: text that has a comma or a quote in it is in quotes. */
const cellsOf = (line: string): readonly string[] =>
  [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^",]*))/g)].map(([, quoted, plain]) => quoted ?? plain ?? '')

function comparedJournal(text: string, invoice: InvoiceDocument | undefined): readonly string[] {
  const [header = '', ...lines] = text.split('\r\n')
  const columns = cellsOf(header)
  const sums = new Map<string, bigint>()
  let receivable = 0n
  for (const cells of lines.filter((line) => line !== '').map(cellsOf)) {
    const cell = (column: string) => cells[columns.indexOf(column)] ?? ''
    const amount = signed(cell('debit') || '0') - signed(cell('credit') || '0')
    sums.set(cell('currency'), (sums.get(cell('currency')) ?? 0n) + amount)
    if (cell('account') === 'receivable' && cell('document') === invoice?.number) receivable += amount
  }
  return [
    ...[...sums].filter(([, sum]) => sum !== 0n).map(([currency]) => `the journal does not sum to zero in ${currency}`),
    ...(invoice === undefined || receivable === signed(invoice.total)
      ? []
      : ['the journal does not ask for the total of the invoice']),
  ]
}

async function comparedFocus(
  texts: ReadonlyMap<string, string>,
  invoice: InvoiceDocument | undefined,
): Promise<readonly string[]> {
  const files: readonly FocusFile[] = [...texts]
    .filter(([name]) => name.startsWith('focus/'))
    .map(([name, text]) => ({ name, text: [text] }))
  if (files.length !== 4) return ['the four FOCUS files are not all there']
  const checked = await checkFocus(files)
  if ('reason' in checked) return [`the FOCUS files cannot be read: ${checked.reason}`]
  const details = texts.get('focus/invoice-detail.csv') ?? ''
  const [header = '', ...lines] = details.split('\r\n')
  const columns = cellsOf(header)
  const billed = lines
    .map(cellsOf)
    .filter((cells) => cells[columns.indexOf('InvoiceId')] === invoice?.number)
    .reduce((sum, cells) => sum + signed(cells[columns.indexOf('BilledCost')] ?? '0'), 0n)
  return [
    ...checked.violations.slice(0, 20).map(({ rule, row, found }) => `FOCUS: ${rule}, row ${row ?? '-'}: ${found}`),
    ...(invoice === undefined || billed === signed(invoice.total)
      ? []
      : ['the FOCUS files do not bill the total of the invoice']),
  ]
}

const signed = (decimal: string): bigint =>
  decimal.startsWith('-') ? 0n - (parseAmount(decimal.slice(1)) ?? 0n) : (parseAmount(decimal) ?? 0n)
