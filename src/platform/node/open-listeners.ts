import { readFile } from 'node:fs/promises'
import { createServer, type RequestListener, type Server, type ServerOptions } from 'node:http'
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https'
import { ConfigError, type Config } from './config.ts'
import { openPort } from './open-port.ts'

export interface Listeners {
  readonly port: number
  /** Undefined without TLS_PORT. */
  readonly tlsPort: number | undefined
  /** Takes no new calls, and waits for those in flight, so long at most. */
  readonly close: (drainSeconds: number) => Promise<void>
}

const limits: ServerOptions = {
  noDelay: true,
  keepAlive: true,
  maxHeaderSize: 32 * 1024,
  requestTimeout: 60_000,
  headersTimeout: 20_000,
}

/**
 * Opens the data plane's port, and a second one with TLS of its own when TLS_PORT is set. There a caller is asked for its
 * certificate and may have none; which one counts is for the tokens to say, and not for a list of authorities.
 * @throws ConfigError when the certificate or its key cannot be read.
 */
export async function openListeners(config: Config, listener: RequestListener): Promise<Listeners> {
  const plain = createServer(limits, listener)
  const tls = config.TLS_PORT === undefined ? undefined : await tlsServer(config, listener)
  const servers = [plain, ...(tls === undefined ? [] : [tls])]
  for (const server of servers) {
    server.keepAliveTimeout = 65_000
    server.maxRequestsPerSocket = 0
  }
  const port = await openPort(plain, { host: config.HOST, port: config.PORT })
  const tlsPort = tls === undefined ? undefined : await openPort(tls, { host: config.HOST, port: config.TLS_PORT ?? 0 })
  return {
    port,
    tlsPort,
    close: async (drainSeconds) => void (await Promise.all(servers.map((server) => closeServer(server, drainSeconds)))),
  }
}

/** SMART 231: TLS 1.2 or newer. */
async function tlsServer({ TLS_CERTIFICATE, TLS_KEY }: Config, listener: RequestListener): Promise<TlsServer> {
  const [cert, key] = await Promise.all([
    readPem('TLS_CERTIFICATE', TLS_CERTIFICATE ?? ''),
    readPem('TLS_KEY', TLS_KEY ?? ''),
  ])
  const asking = { requestCert: true, rejectUnauthorized: false, minVersion: 'TLSv1.2' } as const
  try {
    return createTlsServer({ ...limits, ...asking, cert, key }, listener)
  } catch {
    throw new ConfigError('TLS_CERTIFICATE and TLS_KEY are no pair of PEM files: a certificate chain and its key')
  }
}

async function readPem(name: string, path: string): Promise<Buffer> {
  try {
    return await readFile(path)
  } catch {
    throw new ConfigError(`${name} is ${JSON.stringify(path)}, which cannot be read: write the path of a PEM file`)
  }
}

/** Waits for calls in flight, up to a limit; idle connections are closed at once. */
async function closeServer(server: Server | TlsServer, drainSeconds: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  server.closeIdleConnections()
  const idle = setInterval(() => server.closeIdleConnections(), 100)
  const late = setTimeout(() => server.closeAllConnections(), drainSeconds * 1000)
  await closed
  clearInterval(idle)
  clearTimeout(late)
}
