import type { Algorithm, PublicJwk } from '../client.ts'
import { verifyByKey, type Jws } from '../jws.ts'

/** Keys of nobody: their private sides were never kept. */
const decoys: readonly (Algorithm & { readonly key: Omit<PublicJwk, 'kid'> })[] = [
  {
    alg: 'RS384',
    kty: 'RSA',
    crv: undefined,
    key: {
      kty: 'RSA',
      n: 'waVeMVQryD2GwrIJf3JnwLLc0puOfqIk0LQl8HN7O5qGaj2rU6S-HmNWpr6wjbF98abrg_MfXvcyIE2lkDUKz0FWMvp89DoeanARQL8gOyTes2UIUY3MmMft5kHhDnJ9OTLvFycsrntL0DnyE4bs3Ho3LJmaK6q8OiNDb68YHAFmTnOfPCJD3XgV0DZEF7wksxQvrV-DWI9EVdkz8SIvq9gfrz3RvglHx5WQ-7uxzU2vigP2INXt6qQ31N3dd-BnZBHa2Mxpxf5Ww_7W8U0lMEwGCH0AezI5yZb8SUJrRAe8ydePSy1q8DAFOAIolqz5ooTAs3RTX9ZpvgL9qwB1Xw',
      e: 'AQAB',
    },
  },
  {
    alg: 'ES384',
    kty: 'EC',
    crv: 'P-384',
    key: {
      kty: 'EC',
      crv: 'P-384',
      x: 'pOU2t-SVhgGBFPXd9O3BzJgChuUDr6OxGM3j82YrtdD4kbl9rU0rl-twzbiNOdKd',
      y: 'lIeo_mhOuggx66qZL0t_2zhBjZkznru8g_5K8D5rz0le1a9MaOvKNAvpmkK4xXLo',
    },
  },
  {
    alg: 'ES256',
    kty: 'EC',
    crv: 'P-256',
    key: {
      kty: 'EC',
      crv: 'P-256',
      x: 'drVMtn7xESO6cJgTENExg8k9703NfAQ9TWLUxr7RfMU',
      y: 'w71YW9msKkM27qUN_E080qEpqU7mBLrshb8CqfXRiVA',
    },
  },
  {
    alg: 'EdDSA',
    kty: 'OKP',
    crv: 'Ed25519',
    key: { kty: 'OKP', crv: 'Ed25519', x: 'hqxn2iDa3nXKMO-wKsUlonSQEYkpBA5GChNj1xd3DLc' },
  },
]

/** Does the work of a verification whose outcome is known: it fails. */
export async function verifyDecoy(jws: Jws): Promise<void> {
  const { alg } = jws.header
  const [first] = decoys
  const decoy = decoys.find((candidate) => candidate.alg === alg) ?? first
  if (decoy !== undefined) await verifyByKey(jws, decoy.key, decoy)
}
