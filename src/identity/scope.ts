/** What a model can be called for. */
export const operations = ['chat', 'embeddings', 'infer'] as const
export type Operation = (typeof operations)[number]

/** What an application's credential may be used for. Invoices are read by those whose business they are. */
export const scopes = [...operations, 'invoices'] as const
export type Scope = (typeof scopes)[number]

const known: ReadonlySet<string> = new Set(scopes)
export const isScope = (text: string): text is Scope => known.has(text)

const called: ReadonlySet<string> = new Set(operations)
export const isOperation = (text: string): text is Operation => called.has(text)
