import { numberOf } from './client.ts'

/**
 * Whether a modulus was made by the generator of CVE-2017-15361 (ROCA), whose primes are k·M + (65537^a mod M): modulo each
 * small prime it is a power of 65537. Of other moduli one in some 2^27 looks so (Nemec and others, CCS 2017, section 2).
 */
export function isRocaModulus(n: string): boolean {
  const modulus = numberOf(n)
  return primes.every((prime) => powersOf65537(prime).has(Number(modulus % BigInt(prime))))
}

const primes = [3, 5, 7, 11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157]

function powersOf65537(prime: number): ReadonlySet<number> {
  const powers = new Set<number>()
  for (let power = 1; !powers.has(power); power = (power * 65_537) % prime) powers.add(power)
  return powers
}
