import { benchModel } from './declarations.ts'

/** Bytes of a request's body. */
const bodyBytes = 2048

/** One whole request per key, as bytes that are written as they are. */
export function requestsFor(options: {
  keys: readonly string[]
  streamed: boolean
  headers: Readonly<Record<string, string>>
}): readonly Uint8Array[] {
  const body = bodyOf(options.streamed)
  return options.keys.map((key) => {
    const lines = Object.entries({
      host: '127.0.0.1',
      'user-agent': 'formulary-bench',
      accept: options.streamed ? 'text/event-stream' : 'application/json',
      authorization: `Bearer ${key}`,
      'content-type': 'application/json',
      'content-length': String(body.length),
      ...options.headers,
    }).map(([name, value]) => `${name}: ${value}\r\n`)
    return new TextEncoder().encode(`POST /v1/chat/completions HTTP/1.1\r\n${lines.join('')}\r\n${body}`)
  })
}

/** All of it is ASCII, so that characters are bytes. Usage is asked for, so that each system passes on the same stream. */
function bodyOf(streamed: boolean): string {
  const asked = (words: string) =>
    JSON.stringify({
      model: benchModel,
      messages: [
        { role: 'system', content: 'You answer clinicians, briefly.' },
        { role: 'user', content: words },
      ],
      max_tokens: 512,
      ...(streamed ? { stream: true, stream_options: { include_usage: true } } : {}),
    })
  const words = 'What should follow a screening ECG that suggests a low ejection fraction? '.repeat(40)
  return asked(words.slice(0, bodyBytes - asked('').length))
}
