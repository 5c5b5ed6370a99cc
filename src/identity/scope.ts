/** What an application's credential may be used for. */
export const scopes = ['chat', 'embeddings', 'infer'] as const
export type Scope = (typeof scopes)[number]

const known: ReadonlySet<string> = new Set(scopes)
export const isScope = (text: string): text is Scope => known.has(text)
