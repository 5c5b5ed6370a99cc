import type { IncomingMessage } from 'node:http'

/** A CT volume as JSON is tens of megabytes. */
export const bodyBytesMax = 128 * 1024 * 1024

/** The whole body; null when it is larger than the host takes or its sender left. */
export function readBody(request: IncomingMessage): Promise<Buffer | null> {
  return new Promise((resolve) => {
    const parts: Buffer[] = []
    let size = 0
    request.on('data', (part: Buffer) => {
      size += part.length
      if (size > bodyBytesMax) resolve(null)
      else parts.push(part)
    })
    request.on('end', () => {
      const [only] = parts
      resolve(parts.length === 1 && only !== undefined ? only : Buffer.concat(parts))
    })
    request.on('error', () => resolve(null))
    request.on('close', () => resolve(null))
  })
}
