import { sitesOf, versions, type TenantName } from './declared-world.ts'
import {
  hostFields,
  hostHeaders,
  identityFields,
  identityHeaders,
  keyFromByte,
  keyHeaders,
  mistyped,
  withWrongSecret,
} from './impersonate.ts'
import type { Asked, RouteKind } from './routes.ts'
import type { KeyName, World } from './world.ts'

/**
 * Every kind of stranger, and what each kind of route answers to it. With `routes.ts` this is the whole data plane: a
 * new route is a line there, a new way of being a stranger is one here.
 */
export interface Stranger {
  readonly who: string
  /** Whose rows it may read, and to whose ledger a call of it goes. */
  readonly of: TenantName | 'nobody'
  visit(world: World): Visit
  readonly expects: Readonly<Record<RouteKind, Expected>>
}

/** What a kind of stranger sends beside the request of the route. */
export interface Visit {
  readonly authorization?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly query?: Readonly<Record<string, string>>
  readonly asked?: Partial<Asked>
}

/** A status, and the codes of the refusal, the first of them in `code`. */
export interface Expected {
  readonly status: number
  readonly reasons: readonly string[]
}

const yes: Expected = { status: 200, reasons: [] }
const no = (status: number, ...reasons: string[]): Expected => ({ status, reasons })
const notFound = no(404, 'model_not_found')

const everywhere = (expected: Expected): Stranger['expects'] => ({
  call: expected,
  predictor: expected,
  model: expected,
  models: expected,
  license: expected,
  usage: expected,
  invoices: expected,
  invoice: expected,
  token: no(400, 'invalid_request'),
  webhook: no(400, 'invalid_request'),
  open: yes,
})
const welcome = { ...everywhere(yes), invoice: no(404, 'not_found') }
/** A license that is not in force closes all but what its holder needs to see. */
const closed = (code: string) => ({
  ...everywhere(no(403, code)),
  license: yes,
  usage: yes,
  invoices: yes,
  invoice: no(404, 'not_found'),
})
/** A known caller that asks for what it may not have. What names no model is its own all the same. */
const denied = (refusal: Expected, model: Expected) => ({ ...welcome, call: refusal, predictor: refusal, model })

const bearer = (key: string): Visit => ({ authorization: `Bearer ${key}` })

/** Nobody that we know: whatever it shows, every route but the open ones gives the same answer. */
const unknown = (who: string, visit: Stranger['visit']): Stranger => ({
  who,
  of: 'nobody',
  visit,
  expects: everywhere(no(401, 'invalid_api_key')),
})

const unauthenticated: readonly Stranger[] = [
  unknown('nobody', () => ({})),
  unknown('nobody, with an empty header', () => ({ authorization: '' })),
  unknown('nobody, with the identity in headers', (world) => ({ headers: identityHeaders(world, 'mercy') })),
  unknown('a bearer without a key', () => ({ authorization: 'Bearer' })),
  unknown('a malformed bearer', () => bearer('sk-of-another-house')),
  unknown('two keys in one header', (world) => bearer(`${world.key('neighbor')} ${world.key('mercy')}`)),
  unknown('a good key by Basic auth', (world) => ({
    authorization: `Basic ${Buffer.from(`${world.key('mercy')}:`).toString('base64')}`,
  })),
  unknown('a good key in every other header', (world) => ({ headers: keyHeaders(world.key('mercy')) })),
  unknown('a good key in the query', (world) => ({
    query: { api_key: world.key('mercy'), access_token: world.key('mercy') },
  })),
  unknown('a mistyped key', (world) => bearer(mistyped(world.key('mercy')))),
  unknown('a key with an id that nobody has', () => bearer(keyFromByte(1))),
  unknown('the right id with a wrong secret', (world) => bearer(withWrongSecret(world.key('mercy')))),
  unknown('a revoked key', (world) => bearer(world.key('withdrawn'))),
  unknown('a key that expired an hour ago', (world) => bearer(world.key('an hour late'))),
  unknown('a key that expired a week ago', (world) => bearer(world.key('a week late'))),
  unknown('a key of an ended application', (world) => bearer(world.key('of an ended application'))),
  unknown('a key of an ended tenant', (world) => bearer(world.key('gone'))),
]

/** A tenant with its own key, which asks as anybody would. */
const tenant = (who: string, of: TenantName, expects: Stranger['expects']): Stranger => ({
  who,
  of,
  visit: (world) => bearer(world.key(of)),
  expects,
})

const licenseStates: readonly Stranger[] = [
  tenant('a suspended license', 'suspended', closed('license_suspended')),
  tenant('a revoked license', 'revoked', closed('license_revoked')),
  tenant('a license that has not begun', 'early', closed('license_not_started')),
  tenant('a license after its grace', 'expired', closed('license_expired')),
  tenant('a license in its grace', 'grace', welcome),
  tenant('a license whose regions serve nothing', 'abroad', denied(no(403, 'policy_denied'), notFound)),
  tenant('another tenant at the models of the first', 'neighbor', denied(no(403, 'model_not_licensed'), notFound)),
]

/** A key of mercy's and, for all but the rightful caller, something that it does not have. */
const ofMercy = (
  who: string,
  expects: Stranger['expects'],
  more: Omit<Visit, 'authorization'>,
  key: KeyName = 'mercy',
): Stranger => ({ who, of: 'mercy', expects, visit: (world) => ({ ...bearer(world.key(key)), ...more }) })

const asking = (asked: Partial<Asked>) => ({ asked })
const at = (facility: string) => ({ headers: { 'formulary-facility': facility } })
const forPurpose = (purpose: string) => ({ headers: { 'formulary-purpose-of-use': purpose } })
const notCovered = denied(no(403, 'facility_not_covered'), yes)
const notForThat = denied(no(403, 'purpose_not_licensed'), yes)
const versionRefused = denied(no(403, 'version_not_licensed'), notFound)
const forClinicians = denied(no(403, 'audience_not_licensed', 'purpose_not_licensed'), notFound)

const overreaching: readonly Stranger[] = [
  ofMercy('the rightful caller', welcome, {}),
  ofMercy('a facility that the entitlement lacks', notCovered, at(sitesOf('mercy').notEntitled)),
  ofMercy('a facility that the application lacks', notCovered, at(sitesOf('mercy').notTheApplications)),
  ofMercy('a facility of another tenant', notCovered, at(sitesOf('neighbor').covered)),
  ofMercy('an empty facility', notCovered, at('')),
  ofMercy('a purpose that the application lacks', notForThat, forPurpose('HRESCH')),
  ofMercy('a purpose that does not exist', notForThat, forPurpose('*')),
  ofMercy(
    'a key without the scope',
    {
      ...denied(no(403, 'policy_denied'), notFound),
      invoices: no(403, 'policy_denied'),
      invoice: no(403, 'policy_denied'),
    },
    {},
    'without scopes',
  ),
  ofMercy('a recalled version', denied(no(403, 'version_recalled'), notFound), asking({ version: versions.recalled })),
  ofMercy('a version out of range', versionRefused, asking({ version: versions.outOfRange })),
  ofMercy('a version for experts, asked by a clinician', versionRefused, asking({ version: versions.expertStage })),
  ofMercy('a version that does not exist', denied(notFound, notFound), asking({ version: versions.nobodys })),
  ofMercy('a model that does not exist', denied(notFound, notFound), asking({ pair: 'nobodys' })),
  ofMercy(
    'a predictor asked to chat, and the reverse',
    denied(no(400, 'invalid_request'), yes),
    asking({ swapped: true }),
  ),
  ofMercy('a patient at what patients may use', welcome, {}, 'portal'),
  ofMercy(
    'a patient at a version that is not for patients',
    versionRefused,
    asking({ version: versions.notForPatients }),
    'portal',
  ),
  ofMercy('a patient at a model for clinicians', forClinicians, asking({ pair: 'cliniciansOnly' }), 'portal'),
]

/** Says in every way but its key that it is another tenant, or where its call should go. Nobody listens. */
const pretending = (
  who: string,
  of: 'mercy' | 'neighbor',
  expects: Stranger['expects'],
  visit: Stranger['visit'],
): Stranger => ({ who, of, expects, visit: (world) => ({ ...visit(world), ...bearer(world.key(of)) }) })

const notLicensed = denied(no(403, 'model_not_licensed'), notFound)
const pretenders: readonly Stranger[] = [
  pretending('a tenant that names another in headers', 'mercy', welcome, (world) => ({
    headers: identityHeaders(world, 'neighbor'),
  })),
  pretending('a tenant that names another in headers, to have its models', 'mercy', notLicensed, (world) => ({
    headers: identityHeaders(world, 'neighbor'),
    asked: { pair: 'theNeighbors' },
  })),
  pretending('a tenant that names another in the query', 'neighbor', welcome, (world) => ({
    query: identityFields(world, 'mercy'),
    asked: { pair: 'theNeighbors' },
  })),
  pretending('a tenant that names another in the body', 'neighbor', welcome, (world) => ({
    asked: { pair: 'theNeighbors', members: identityFields(world, 'mercy') },
  })),
  pretending('a caller that names a host in headers', 'mercy', welcome, (world) => ({
    headers: hostHeaders(world.decoy.url),
  })),
  pretending('a caller that names a host in the query', 'mercy', welcome, (world) => ({
    query: { base_url: world.decoy.url, api_base: world.decoy.url, host: world.decoy.url },
  })),
  pretending('a caller that names a host in the body', 'mercy', welcome, (world) => ({
    asked: { members: hostFields(world.decoy.url) },
  })),
]

export const strangers: readonly Stranger[] = [...unauthenticated, ...licenseStates, ...overreaching, ...pretenders]
