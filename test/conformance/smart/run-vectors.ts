// Tries the vectors on any server: `node test/conformance/smart/run-vectors.ts --url https://server`. The server knows two
// clients with the registered keys of vectors/keys.json; see the README beside this.
import {
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  randomUUID,
  sign,
  type KeyObject,
} from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { z } from 'zod'
import { KeyFile, VectorFile, type Jwt, type Step, type Value, type Vector } from './vocabulary.ts'

export interface Target {
  /** Where requests go. */
  readonly url: string
  readonly clients: Readonly<Record<Vector['profile'], string>>
  /** A GET that a token with the scope `chat` opens, as a path. */
  readonly resource: string
}

export interface Outcome {
  readonly vector: Vector
  /** What was different from what was expected; undefined: nothing. */
  readonly failure: string | undefined
}

const folder = new URL('./vectors/', import.meta.url)

export async function readVectors(): Promise<readonly Vector[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.json') && name !== 'keys.json').toSorted()
  const files = await Promise.all(names.map(async (name) => VectorFile.parse(await readJson(name))))
  return files.flatMap(({ vectors }) => vectors)
}

/** The registered keys of a client, as its key set has them. */
export async function registeredKeys(profile: Vector['profile']): Promise<readonly Record<string, unknown>[]> {
  const keys = KeyFile.parse(await readJson('keys.json'))
  return keys.filter(({ registeredFor }) => registeredFor === profile).map(({ privateJwk }) => publicJwk(privateJwk))
}

const readJson = async (name: string): Promise<unknown> => JSON.parse(await readFile(new URL(name, folder), 'utf8'))

const publicJwk = (privateJwk: Readonly<Record<string, unknown>>): Record<string, unknown> => ({
  ...createPublicKey(keyOf(privateJwk)).export({ format: 'jwk' }),
  kid: privateJwk['kid'],
})
const keyOf = (jwk: Readonly<Record<string, unknown>>): KeyObject =>
  createPrivateKey({ key: { ...jwk }, format: 'jwk' })

/** Tries every vector, one after the other, and tells of each. */
export async function runVectors(target: Target, tell?: (outcome: Outcome) => void): Promise<readonly Outcome[]> {
  const discovered = await discover(target.url)
  const keys = KeyFile.parse(await readJson('keys.json'))
  const outcomes: Outcome[] = []
  for (const vector of await readVectors()) {
    const outcome = { vector, failure: await new Run(target, discovered, keys, vector).play() }
    outcomes.push(outcome)
    tell?.(outcome)
  }
  return outcomes
}

const Discovered = z.looseObject({
  issuer: z.string(),
  token_endpoint: z.string(),
  introspection_endpoint: z.string(),
  revocation_endpoint: z.string(),
})
type Discovered = z.infer<typeof Discovered>

const discover = async (url: string): Promise<Discovered> =>
  Discovered.parse(JSON.parse((await send(`${url}/.well-known/smart-configuration`, { method: 'GET' })).text))

const signers: Readonly<Record<string, (input: Buffer, key: KeyObject) => Buffer>> = {
  RS256: (input, key) => sign('sha256', input, key),
  RS384: (input, key) => sign('sha384', input, key),
  PS256: (input, key) => sign('sha256', input, { key, padding: 6, saltLength: 32 }),
  PS384: (input, key) => sign('sha384', input, { key, padding: 6, saltLength: 48 }),
  ES256: (input, key) => sign('sha256', input, { key, dsaEncoding: 'ieee-p1363' }),
  ES384: (input, key) => sign('sha384', input, { key, dsaEncoding: 'ieee-p1363' }),
}

/** One vector at one server, with what it saves on its way. */
class Run {
  readonly #saved = new Map<string, string>()
  readonly #run = randomUUID()
  readonly #target: Target
  readonly #discovered: Discovered
  readonly #keys: KeyFile
  readonly #vector: Vector

  constructor(target: Target, discovered: Discovered, keys: KeyFile, vector: Vector) {
    this.#target = target
    this.#discovered = discovered
    this.#keys = keys
    this.#vector = vector
  }

  async play(): Promise<string | undefined> {
    for (const [index, step] of this.#vector.steps.entries()) {
      const failure = await this.#try(step)
      if (failure !== undefined) return `step ${index + 1}: ${failure}`
    }
    return undefined
  }

  async #try({ request, expect }: Step): Promise<string | undefined> {
    const form = new URLSearchParams(
      (request.form ?? []).map(([name, value]): [string, string] => [name, this.#value(value)]),
    )
    const method = request.method ?? 'POST'
    const query = request.query === undefined ? '' : `?${this.#filled(request.query)}`
    const { status, text } = await send(this.#address(request.to) + query, {
      method,
      headers: [
        ...(method === 'GET'
          ? []
          : [['content-type', request.contentType ?? 'application/x-www-form-urlencoded'] as const]),
        ...(request.headers ?? []).map(([name, value]) => [name, this.#header(name, value)] as const),
      ],
      ...(method === 'GET' ? {} : { body: request.body ?? form.toString() }),
    })
    if (!expect.status.includes(status))
      return `status ${status} instead of ${expect.status.join(' or ')}: ${text.slice(0, 200)}`
    const answer = membersOf(text)
    if (expect.error !== undefined && !expect.error.includes(String(answer['error'])))
      return `error ${String(answer['error'])} instead of ${expect.error.join(' or ')}`
    for (const [name, value] of Object.entries(expect.members ?? {})) {
      const wanted = this.#made(value)
      const isSame =
        name === 'token_type'
          ? String(answer[name]).toLowerCase() === String(wanted).toLowerCase()
          : answer[name] === wanted
      if (!isSame) return `${name} is ${JSON.stringify(answer[name])} instead of ${JSON.stringify(wanted)}`
    }
    if (expect.save !== undefined) this.#saved.set(expect.save, String(answer[expect.save]))
    return undefined
  }

  /** A JWT in the place of credentials is a bearer's. */
  #header(name: string, value: Value): string {
    const text = this.#value(value)
    return name === 'authorization' && typeof value !== 'string' ? `Bearer ${text}` : text
  }

  #address(to: Step['request']['to']): string {
    if (to === 'resource') return this.#target.url + this.#target.resource
    const { token_endpoint: token, introspection_endpoint: introspect, revocation_endpoint: revoke } = this.#discovered
    // What a server calls itself may lie behind a proxy that the vectors do not go through.
    return this.#target.url + new URL({ token, introspect, revoke }[to]).pathname
  }

  #value(value: Value): string {
    return typeof value === 'string' ? this.#filled(value) : this.#jwt(value.jwt)
  }

  #filled(text: string): string {
    const { issuer, token_endpoint: tokenUrl, introspection_endpoint: introspectionUrl } = this.#discovered
    const { clients, resource } = this.#target
    const { profile } = this.#vector
    const words: Readonly<Record<string, string>> = {
      issuer,
      tokenUrl,
      introspectionUrl,
      resourceUrl: issuer + resource,
      resourceUrlInCapitals: issuer.toUpperCase() + resource,
      resourceUrlWithPort: withPort(issuer) + resource,
      clientId: clients[profile],
      otherClientId: clients[profile === 'smart' ? 'fapi2' : 'smart'],
      run: this.#run,
    }
    return text.replaceAll(/\{([a-zA-Z0-9]+)(?::(\w+))?\}/g, (whole, word: string, name?: string) => {
      if (word === 'uuid') return randomUUID()
      if (word === 'saved') return this.#saved.get(name ?? '') ?? whole
      if (word === 'sha256')
        return createHash('sha256')
          .update(this.#saved.get(name ?? '') ?? '')
          .digest('base64url')
      return words[word] ?? whole
    })
  }

  #made(value: unknown): unknown {
    if (typeof value === 'string') return this.#filled(value)
    if (Array.isArray(value)) return value.map((element: unknown) => this.#made(element))
    if (typeof value !== 'object' || value === null) return value
    const [first, ...others] = Object.entries(value)
    if (first !== undefined && others.length === 0 && first[0].startsWith('$')) return this.#special(first[0], first[1])
    return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, this.#made(member)]))
  }

  #special(name: string, argument: unknown): unknown {
    if (name === '$now') return Math.floor(Date.now() / 1000) + Number(argument)
    const { privateJwk } = this.#key(String(argument))
    return name === '$privateJwk' ? privateJwk : publicJwk(privateJwk)
  }

  #key(name: string): KeyFile[number] {
    const found = this.#keys.find((key) => key.name === name)
    if (found === undefined) throw new Error(`keys.json has no ${name}`)
    return found
  }

  #jwt({ key, alg, header, claims, after, compact, saveAs }: Jwt): string {
    const made = { header: this.#made(header), claims: typeof claims === 'string' ? claims : this.#made(claims) }
    const parts = { header: encoded(made.header), payload: encoded(made.claims) }
    const signature = this.#sign(`${parts.header}.${parts.payload}`, key, alg)
    const flipped = Buffer.from(signature)
    if (flipped.length > 0) flipped[flipped.length - 1] = (flipped.at(-1) ?? 0) ^ 1
    const shown = {
      header:
        after?.header === undefined
          ? parts.header
          : encoded({ ...Object(made.header), ...Object(this.#made(after.header)) }),
      payload:
        after?.claims === undefined
          ? parts.payload
          : encoded({ ...Object(made.claims), ...Object(this.#made(after.claims)) }),
      signature: signature.toString('base64url'),
      signatureFlipped: flipped.toString('base64url'),
    }
    const text = (compact ?? '{header}.{payload}.{signature}').replaceAll(
      /\{(header|payload|signature|signatureFlipped)\}/g,
      (_, part: keyof typeof shown) => shown[part],
    )
    if (saveAs !== undefined) this.#saved.set(saveAs, text)
    return text
  }

  #sign(input: string, key: string | undefined, alg: string | undefined): Buffer {
    if (key === undefined || alg === undefined) return Buffer.alloc(0)
    if (!key.startsWith('hmac:')) {
      const signer = signers[alg]
      if (signer === undefined) throw new Error(`nobody signs by ${alg}`)
      return signer(Buffer.from(input), keyOf(this.#key(key).privateJwk))
    }
    const secret = createPublicKey(keyOf(this.#key(key.slice(5)).privateJwk)).export({ type: 'spki', format: 'pem' })
    return createHmac(`sha${alg.slice(2)}`, secret)
      .update(input)
      .digest()
  }
}

/** An origin that says the port of its scheme, unless it says another. */
function withPort(origin: string): string {
  const { protocol, hostname, port } = new URL(origin)
  return `${protocol}//${hostname}:${port === '' ? (protocol === 'https:' ? '443' : '80') : port}`
}

const encoded = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')

function membersOf(text: string): Readonly<Record<string, unknown>> {
  try {
    return { ...Object(JSON.parse(text)) }
  } catch {
    return {}
  }
}

/** By a client that repeats a header as often as it is told. */
function send(
  url: string,
  wish: { method: string; headers?: readonly (readonly [string, string])[]; body?: string },
): Promise<{ status: number; text: string }> {
  const by = url.startsWith('https:') ? httpsRequest : httpRequest
  return new Promise((resolve, reject) => {
    const { hostname, port, pathname, search } = new URL(url)
    const headers: string[] = ['host', new URL(url).host, 'connection', 'close', ...(wish.headers ?? []).flat()]
    if (wish.body !== undefined) headers.push('content-length', String(Buffer.byteLength(wish.body)))
    const request = by({ hostname, port, path: pathname + search, method: wish.method, headers }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (part: string) => (text += part))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }))
      response.on('error', reject)
    })
    request.on('error', reject)
    request.end(wish.body)
  })
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      url: { type: 'string' },
      smart: { type: 'string', default: 'lakeside.ehr' },
      fapi2: { type: 'string', default: 'lakeside.portal' },
      resource: { type: 'string', default: '/v1/models' },
    },
  })
  if (values.url === undefined) {
    console.error('usage: run-vectors.ts --url URL [--smart CLIENT_ID] [--fapi2 CLIENT_ID] [--resource PATH]')
    process.exit(2)
  }
  const { url, resource, smart, fapi2 } = values
  const outcomes = await runVectors({ url, resource, clients: { smart, fapi2 } })
  for (const { vector, failure } of outcomes)
    console.log(`${failure === undefined ? 'ok    ' : 'FAILED'}  ${vector.id}  ${failure ?? ''}`)
  const failed = outcomes.filter(({ failure }) => failure !== undefined).length
  console.log(`${outcomes.length - failed} of ${outcomes.length} vectors are as they should be`)
  process.exitCode = failed === 0 ? 0 : 1
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main()
