/** What a page answered. */
export interface Page {
  readonly url: URL
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

export interface Sent {
  readonly form?: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
}

const redirectsMax = 20

/**
 * A browser's worth of cookies and redirects, over real sockets. Cookies are kept per origin, which is stricter than browsers
 * are with ports.
 */
export class Browser {
  readonly #cookies = new Map<string, Map<string, string>>()

  /** One request; redirects are not followed. */
  async ask(url: URL | string, sent: Sent = {}): Promise<Page> {
    const at = new URL(url)
    const cookies = this.cookiesOf(at)
    const response = await fetch(at, {
      method: sent.form === undefined ? 'GET' : 'POST',
      redirect: 'manual',
      headers: {
        ...(cookies.size === 0 ? {} : { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') }),
        ...sent.headers,
      },
      ...(sent.form === undefined ? {} : { body: new URLSearchParams(sent.form) }),
    })
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      if (value === '' || /;\s*max-age=0/i.test(line)) cookies.delete(name)
      else cookies.set(name, value)
    }
    return { url: at, status: response.status, headers: response.headers, text: await response.text() }
  }

  /** As far as the redirects lead, or up to the first address that `until` names. */
  async go(url: URL | string, sent: Sent = {}, until: (next: URL) => boolean = () => false): Promise<Page> {
    let page = await this.ask(url, sent)
    for (let step = 0; step < redirectsMax; step++) {
      const location = page.headers.get('location')
      if (location === null || page.status < 300 || page.status > 399) return page
      const next = new URL(location, page.url)
      if (until(next)) return page
      page = await this.ask(next)
    }
    throw new Error(`more than ${redirectsMax} redirects, the last to ${page.url.href}`)
  }

  /** Of an origin, to read, to steal and to plant. */
  cookiesOf(url: URL | string): Map<string, string> {
    const { origin } = new URL(url)
    const known = this.#cookies.get(origin) ?? new Map<string, string>()
    this.#cookies.set(origin, known)
    return known
  }
}
