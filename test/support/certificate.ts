import { createHash, generateKeyPairSync, sign, type KeyObject } from 'node:crypto'

/** A self-signed certificate and its key, as a TLS socket takes them. */
export interface TestCertificate {
  readonly cert: string
  readonly key: string
  readonly der: Buffer
  /** `x5t#S256`. */
  readonly thumbprint: string
}

/** For 127.0.0.1, P-256, good from yesterday to next year (RFC 5280). Written by hand: nothing of OpenSSL's is run. */
export function makeCertificate(name: string): TestCertificate {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const der = signed(name, privateKey, publicKey.export({ format: 'der', type: 'spki' }))
  const lines = der.toString('base64').match(/.{1,64}/g) ?? []
  return {
    der,
    cert: `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ format: 'pem', type: 'pkcs8' }),
    thumbprint: createHash('sha256').update(der).digest('base64url'),
  }
}

function signed(name: string, key: KeyObject, subjectPublicKeyInfo: Buffer): Buffer {
  const subject = sequence(element(0x31, sequence(commonName, element(0x0c, Buffer.from(name)))))
  const day = 86_400_000
  const toBeSigned = sequence(
    element(0xa0, element(0x02, Buffer.of(2))),
    element(0x02, Buffer.of(1, ...crypto.getRandomValues(new Uint8Array(8)))),
    ecdsaWithSha256,
    subject,
    sequence(utcTime(Date.now() - day), utcTime(Date.now() + 365 * day)),
    subject,
    subjectPublicKeyInfo,
    element(0xa3, sequence(sequence(subjectAltName, element(0x04, sequence(element(0x87, Buffer.of(127, 0, 0, 1))))))),
  )
  return sequence(toBeSigned, ecdsaWithSha256, element(0x03, Buffer.of(0), sign('sha256', toBeSigned, key)))
}

/** DER: a tag, the length, and what is in it. */
function element(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts)
  const { length } = content
  const head = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255]
  return Buffer.concat([Buffer.of(tag, ...head), content])
}
const sequence = (...parts: readonly Buffer[]): Buffer => element(0x30, ...parts)

const utcTime = (atMs: number): Buffer => {
  const digits = new Date(atMs).toISOString().replaceAll(/\D/g, '')
  return element(0x17, Buffer.from(`${digits.slice(2, 14)}Z`))
}
const commonName = Buffer.from('0603550403', 'hex')
const subjectAltName = Buffer.from('0603551d11', 'hex')
const ecdsaWithSha256 = Buffer.from('300a06082a8648ce3d040302', 'hex')
