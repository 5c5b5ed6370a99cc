/** A request to a model host. The address and the credential come from the deployment; the caller has no say in either. */
export interface UpstreamRequest {
  readonly method: 'GET' | 'POST'
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | undefined
}

/** An answer whose head has come. The body is pulled: who does not read holds the host back. */
export interface UpstreamAnswer {
  readonly status: number
  readonly contentType: string
  readonly retryAfter: string | undefined
  /**
   * The next bytes, or undefined at a clean end.
   * @throws Failure when the host closed early or the call was cancelled.
   */
  read(): Promise<Uint8Array | undefined>
}

export interface UpstreamCall {
  /** @throws Failure when no answer came. Redirects are answers like any other and are not followed. */
  readonly answer: Promise<UpstreamAnswer>
  /** Closes the connection to the host at once, so that it stops working. Harmless after the end. */
  cancel(): void
}

/** The client that differs between Node (a connection pool) and Workers (fetch). */
export interface Upstream {
  open(request: UpstreamRequest): UpstreamCall
}
