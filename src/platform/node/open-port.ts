import { createServer } from 'node:http'
import type { Server } from 'node:net'
import { StartError } from './start-error.ts'

/** Listens; a port in use is one clear line. Returns the port, which matters when 0 was asked for. */
export function openPort(server: Server, at: { host: string; port: number }): Promise<number> {
  return new Promise((resolve, reject) => {
    const fail = (error: NodeJS.ErrnoException) => reject(portError(error, at))
    server.once('error', fail)
    server.listen({ ...at, backlog: 1024 }, () => {
      server.off('error', fail)
      const address = server.address()
      resolve(typeof address === 'object' && address !== null ? address.port : at.port)
    })
  })
}

/** Finds out early whether a port can be had, before anything else is started. Answers a free one when 0 is asked for. */
export async function findFreePort(at: { host: string; port: number }): Promise<number> {
  const server = createServer()
  const port = await openPort(server, at)
  await new Promise<void>((resolve) => server.close(() => resolve()))
  return port
}

/** An address that can be called, of one that is listened on. */
export const hostInUrl = (host: string): string =>
  host === '0.0.0.0' ? '127.0.0.1' : host.includes(':') ? `[${host}]` : host

function portError(error: NodeJS.ErrnoException, { host, port }: { host: string; port: number }): Error {
  switch (error.code) {
    case 'EADDRINUSE':
      return new StartError(
        `port ${port} on ${host} is in use: stop what uses it, or set PORT or ADMIN_PORT to another`,
      )
    case 'EACCES':
      return new StartError(`port ${port} may not be opened by this user: set PORT or ADMIN_PORT above 1023`)
    case 'EADDRNOTAVAIL':
      return new StartError(`${host} is no address of this machine: set HOST`)
    default:
      return error
  }
}
