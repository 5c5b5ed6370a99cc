import { openAdmin, type Admin } from './admin.ts'
import { Browser, type Page } from './browser.ts'
import { openHouse, type House } from './house.ts'
import { openIdentityProvider, type Account, type IdentityProvider } from './identity-provider.ts'

export const people = {
  chief: { sub: 'owner-1', name: 'Ada Moreno', groups: ['formulary-chiefs', 'staff'] },
  office: { sub: 'owner-2', name: 'Ben Okafor', groups: ['formulary-office'] },
  finance: { sub: 'owner-3', name: 'Chris Lund', groups: ['formulary-finance'] },
  auditor: { sub: 'owner-4', name: 'Dana Wu', groups: ['formulary-audit'] },
  nurse: { sub: 'owner-5', name: 'Eve Nobody', groups: ['staff'] },
  lakesideAdmin: { sub: 'lake-1', name: 'Lena Lake', groups: ['formulary-admins'] },
  lakesideViewer: { sub: 'lake-2', name: 'Luis Lake', groups: ['formulary-readers'] },
} as const satisfies Readonly<Record<string, Account>>

/** A house whose owner and one hospital have providers, with its control plane. */
export interface SignInHouse {
  readonly house: House
  readonly admin: Admin
  readonly owners: IdentityProvider
  readonly lakesides: IdentityProvider
  /** The declared mapping of lakeside, changed. */
  redeclare(change: (text: string) => string): Promise<void>
  /** Somebody signs in, in a browser of their own or in the given one. */
  signIn(who: Account, browser?: Browser): Promise<{ browser: Browser; page: Page }>
  /** As far as the way back from the provider: the address with code and state. */
  comeBack(who: Account, browser: Browser, to?: string): Promise<URL>
  stop(): Promise<void>
}

export const tenantOf = (who: Account): 'clinic' | 'lakeside' => (who.sub.startsWith('lake') ? 'lakeside' : 'clinic')

export async function openSignInHouse(): Promise<SignInHouse> {
  const house = await openHouse()
  const environment: NodeJS.ProcessEnv = {}
  const admin = await openAdmin(house, { environment })
  const callback = (tenant: string) => `${admin.url}/sign-in/callback/${tenant}`
  const owners = await openIdentityProvider({
    redirectUris: [callback('clinic'), `${admin.url}/elsewhere`],
    signsIn: people.chief,
  })
  const lakesides = await openIdentityProvider({
    redirectUris: [callback('lakeside')],
    signsIn: people.lakesideAdmin,
    groupsInUserinfo: true,
  })
  environment['CLINIC_SIGN_IN_SECRET'] = owners.clientSecret
  environment['LAKESIDE_SIGN_IN_SECRET'] = lakesides.clientSecret
  const ofClinic = signInOf(owners, 'CLINIC_SIGN_IN_SECRET', {
    'formulary-chiefs': 'owner-admin',
    'formulary-office': 'licensing',
    'formulary-finance': 'finance',
    'formulary-audit': 'auditor',
  })
  const ofLakeside = signInOf(lakesides, 'LAKESIDE_SIGN_IN_SECRET', {
    'formulary-admins': 'tenant-admin',
    'formulary-readers': 'tenant-viewer',
  })
  const redeclare = (change: (text: string) => string) =>
    house.declare({
      'clinic/tenant.yaml': (text) => text + ofClinic,
      'lakeside/tenant.yaml': (text) => change(text + ofLakeside),
    })
  await redeclare((text) => text)

  const comeBack = async (who: Account, browser: Browser, to = '/') => {
    const provider = tenantOf(who) === 'clinic' ? owners : lakesides
    provider.signsIn = who
    const start = `${admin.url}/sign-in/start?${new URLSearchParams({ tenant: tenantOf(who), to }).toString()}`
    const page = await browser.go(start, {}, (next) => next.origin === admin.url)
    const location = page.headers.get('location')
    if (location === null) throw new Error(`${page.status} at ${page.url.href}: ${page.text.slice(0, 500)}`)
    return new URL(location, page.url)
  }
  return {
    house,
    admin,
    owners,
    lakesides,
    redeclare,
    comeBack,
    async signIn(who, browser = new Browser()) {
      const back = await comeBack(who, browser)
      return { browser, page: await browser.go(back) }
    },
    async stop() {
      await admin.stop()
      await Promise.all([owners.stop(), lakesides.stop()])
      await house.stop()
    },
  }
}

const signInOf = ({ issuer, clientId }: IdentityProvider, variable: string, roles: Record<string, string>): string =>
  `signIn:
  issuer: ${issuer}
  clientId: ${clientId}
  clientSecretEnv: ${variable}
  groupsClaim: groups
  roles:
${Object.entries(roles)
  .map(([group, role]) => `    ${group}: ${role}\n`)
  .join('')}`
