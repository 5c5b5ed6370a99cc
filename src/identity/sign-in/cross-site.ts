/** What a browser says of where a request comes from (Fetch, section 3.2; Fetch Metadata, section 2.2). */
export interface Provenance {
  readonly origin: string | undefined
  /** `Sec-Fetch-Site` */
  readonly site: string | undefined
  readonly host: string | undefined
  /** Where the control plane is for the outside, when that is known. */
  readonly publicUrl: string | undefined
}

/** Whether a page of somebody else sends this. What says nothing of itself is no browser, and brings no cookie by itself. */
export function isCrossSite({ origin, site, host, publicUrl }: Provenance): boolean {
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return true
  if (origin === undefined) return false
  if (publicUrl !== undefined && origin === new URL(publicUrl).origin) return false
  return !URL.canParse(origin) || new URL(origin).host !== host
}
