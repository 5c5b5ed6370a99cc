/** npm hands on the Ctrl-C that the terminal has sent to everybody already: what follows so soon is the same one. */
const sameCtrlCMs = 500

/**
 * Listens for Ctrl-C, the end of the terminal and a polite kill, from now on. The first one is told; one more ends the
 * process at once.
 */
export function listenForInterruption(): { readonly signal: AbortSignal; readonly happened: Promise<void> } {
  const first = new AbortController()
  const happened = new Promise<void>((resolve) => first.signal.addEventListener('abort', () => resolve()))
  let firstMs = Number.POSITIVE_INFINITY
  const onSignal = () => {
    const nowMs = performance.now()
    if (!first.signal.aborted) {
      firstMs = nowMs
      first.abort()
    } else if (nowMs - firstMs > sameCtrlCMs) process.exit(130)
  }
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, onSignal)
  return { signal: first.signal, happened }
}
