import type { FileKind } from './schema.ts'

/** What a key means, in one sentence for an editor, and an example of it as it is written in YAML. */
export interface Field {
  readonly means: string
  readonly example: string
}

/**
 * The words for a key at a path such as `license.entitlements[].pin`; list positions are left out, and a key that a
 * human chooses is `*`.
 */
export const findField = (kind: FileKind, path: readonly (string | number)[]): Field | undefined => {
  const name = path.reduce<string>((text, key) => (typeof key === 'number' ? `${text}[]` : `${text}.${key}`), kind)
  return fields[name] ?? fields[name.replace(/\.[^.]+$/, '.*')]
}

const field = (means: string, example: string): Field => ({ means, example })
const purposesExample = '[TREAT, HOPERAT]'

/** Every key of every kind; a test compares this with the schemas, so that none is forgotten. */
export const fields: Readonly<Record<string, Field>> = {
  'model.model': field('The name callers use; the file is called the same.', 'clinical-assistant'),
  'model.title': field('The name people read.', 'Clinical assistant'),
  'model.protocol': field('openai for chat and embeddings, open-inference for predictors.', 'openai'),
  'model.noticeDays': field(
    'Days that tenants who pin an older version are told before a new one reaches them, and before a sunset.',
    '30',
  ),
  'model.versions': field(
    'Every version that may still be called. A version never changes what it is.',
    '[{ version: 1.2.0, … }]',
  ),
  'model.versions[].version': field('Three numbers (semver).', '1.2.0'),
  'model.versions[].stage': field(
    'How far the version has come: who at most may reach it. Promotion goes one step.',
    'licensed',
  ),
  'model.versions[].limits': field(
    'Tokens per call at most. Required for openai, not written for open-inference.',
    '{ contextTokens: 32768, outputTokens: 4096 }',
  ),
  'model.versions[].limits.contextTokens': field('Prompt and answer together, in tokens.', '32768'),
  'model.versions[].limits.outputTokens': field('Answer at most, in tokens; 0 for a model that only embeds.', '4096'),
  'model.versions[].recalled': field(
    'Why the version was recalled. It refuses every call from then on, for good.',
    'Wrong doses in 2 of 1,000 answers',
  ),
  'model.versions[].card': field(
    'What those who use it must know. A promotion needs it; what was said of a version that is out may only be added to.',
    '{ intendedUse: Drafts of discharge letters for review by a clinician, … }',
  ),
  'model.versions[].card.intendedUse': field('What it is for, and for whom.', 'Drafts of letters, read by a clinician'),
  'model.versions[].card.outOfScopeUse': field('What it must not be used for.', 'Doses, triage, unsupervised use'),
  'model.versions[].card.trainingData': field(
    'What it has learned from, in short.',
    'De-identified letters, 2015 to 2024',
  ),
  'model.versions[].card.evaluation': field('How it was tested, and what came out.', '412 letters, 97 % acceptable'),
  'model.versions[].card.knownRisks': field('What is known to go wrong.', 'Omits allergies in long histories'),
  'model.versions[].card.maintenance': field('Who watches it, how, and how often.', 'Monthly review of 200 ratings'),
  'model.versions[].card.decisionSupport': field(
    'Which source attributes of 45 CFR 170.315(b)(11)(iv) it must answer: predictive (B) or evidence-based (A).',
    'predictive',
  ),
  'model.versions[].card.sourceAttributes': field(
    'The source attributes; all of them before hospitals get it. "Not available" is an answer.',
    '{ developer: "The Clinic, models@clinic.example", … }',
  ),
  'model.versions[].card.sourceAttributes.*': field('One attribute, as the rule asks for it.', 'Not available'),
  'model.versions[].signOffs': field(
    'Who has agreed to a step. Each step needs the roles clinical and technical, by two people.',
    '[{ to: licensed, role: clinical, by: Dr. Ada Moreno, on: 2026-11-20 }]',
  ),
  'model.versions[].signOffs[].to': field('The stage that the step leads to.', 'licensed'),
  'model.versions[].signOffs[].role': field('As what the person signs.', 'clinical'),
  'model.versions[].signOffs[].by': field('The name of the person.', 'Dr. Ada Moreno'),
  'model.versions[].signOffs[].on': field('The day of signing.', '2026-11-20'),
  'model.versions[].deployments': field(
    'Where the version is served; an empty list for one that is served nowhere.',
    '[{ name: east, … }]',
  ),
  'model.versions[].deployments[].name': field('A name within the version.', 'east'),
  'model.versions[].deployments[].url': field(
    'The base address; without secrets, query or fragment.',
    'https://models.example/v1',
  ),
  'model.versions[].deployments[].model': field('The name that the model host knows the version by.', 'assistant-1-2'),
  'model.versions[].deployments[].region': field('Where it runs. A license names the regions it allows.', 'us-east'),
  'model.versions[].deployments[].weight': field('Its share of the calls; 0 takes it out of rotation.', '1'),
  'model.versions[].deployments[].credential': field(
    'The secret that the model host asks for, by name.',
    '{ env: EAST_KEY }',
  ),
  'model.versions[].deployments[].credential.env': field(
    'An environment variable of the gateway that holds the secret.',
    'EAST_KEY',
  ),

  'plan.plan': field('The name licenses use; the file is called the same.', 'standard-2026'),
  'plan.currency': field('ISO 4217.', 'USD'),
  'plan.prices': field(
    'One price per model and meter; a free model is said with the amount "0".',
    '[{ meter: input_tokens, per: 1000000, amount: "3.00" }]',
  ),
  'plan.prices[].model': field(
    'The model it holds for; absent: every model without a price of its own.',
    'clinical-assistant',
  ),
  'plan.prices[].meter': field('What is counted.', 'input_tokens'),
  'plan.prices[].per': field('How many units the amount buys; month for the meter facility.', '1000000'),
  'plan.prices[].amount': field('A decimal in quotes, so that it stays exact.', '"3.00"'),
  'plan.prices[].included': field(
    'Units of a month that cost nothing; what costs something is counted after them.',
    '10000000',
  ),
  'plan.prices[].package': field('Whole packages of so many units: the last one is paid whole.', 'true'),
  'plan.prices[].tiers': field(
    'graduated: each unit at the amount of its step. volume: all of a month at the amount of the step that it reaches.',
    'graduated',
  ),
  'plan.prices[].steps': field(
    'From which unit of a month on which amount holds, instead of the first one.',
    '[{ from: 100000001, amount: "2.50" }]',
  ),
  'plan.prices[].steps[].from': field('The first unit of the month that it holds for.', '100000001'),
  'plan.prices[].steps[].amount': field('A decimal in quotes, for as many units as per says.', '"2.50"'),
  'plan.prices[].evaluation': field('The amount under an evaluation license, instead of all else.', '"0"'),
  'plan.prices[].grace': field('The amount in the days of grace, instead of all else.', '"4.50"'),
  'plan.commitment': field('What a whole month costs at least; a part of a month so many days of it.', '"5000.00"'),
  'plan.credit': field('Bought with the first invoice of a term, and used up before money is asked for.', '"20000.00"'),
  'plan.evaluation': field('free: an evaluation costs nothing, but for prices that have an amount for it.', 'free'),
  'plan.grace': field('What use in the days of grace costs.', '{ percent: 125 }'),
  'plan.grace.percent': field('Percent of the listed price.', '125'),

  'tenant.tenant': field('The name of the organization; its folder is called the same.', 'lakeside-health'),
  'tenant.name': field('The name people read.', 'Lakeside Health'),
  'tenant.kind': field('What the organization is; it cannot change.', 'health-system'),
  'tenant.facilities': field(
    'The sites where care is given. Every call is attributed to one.',
    '[{ facility: lakeside-general, name: Lakeside General Hospital, region: us-east }]',
  ),
  'tenant.facilities[].facility': field('A name within the tenant.', 'lakeside-general'),
  'tenant.facilities[].name': field('The name people read.', 'Lakeside General Hospital'),
  'tenant.facilities[].region': field('Where it is.', 'us-east'),
  'tenant.applications': field('The programs that call. Each has its own keys.', '[{ application: ehr, … }]'),
  'tenant.applications[].application': field('A name within the tenant.', 'ehr'),
  'tenant.applications[].audience': field('Who is at the other end of it.', 'clinician'),
  'tenant.applications[].facilities': field(
    'The sites it serves; the first is taken when a call names none.',
    '[lakeside-general]',
  ),
  'tenant.applications[].purposes': field(
    'Purposes of use (HL7 v3); the first is taken when a call names none.',
    purposesExample,
  ),
  'tenant.applications[].scopes': field('What its keys and tokens may do at most.', '[chat, embeddings]'),
  'tenant.applications[].client': field(
    'Lets it get short-lived tokens for signed assertions at /oauth/token. Its client id is tenant.application.',
    '{ profile: smart, jwksUri: https://ehr.example/jwks.json }',
  ),
  'tenant.applications[].client.profile': field(
    'smart: SMART Backend Services (RS384, ES384). fapi2: PS256, ES256 or EdDSA, with tokens bound to their sender.',
    'smart',
  ),
  'tenant.applications[].client.senderConstraint': field(
    'What tokens of fapi2 are bound to. dpop, as when absent: a key (RFC 9449). mtls: its TLS certificate (RFC 8705).',
    'mtls',
  ),
  'tenant.applications[].client.certificates': field(
    'With mtls: base64url of the SHA-256 of each certificate in DER. The client may then authenticate by it, without a key.',
    '["A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0"]',
  ),
  'tenant.applications[].client.jwksUri': field(
    'Where it publishes its public keys; preferred, because it can rotate them by itself. This or jwks.',
    'https://ehr.example/jwks.json',
  ),
  'tenant.applications[].client.jwks': field(
    'Its public keys themselves (RFC 7517). This or jwksUri.',
    '{ keys: [{ kty: EC, kid: "2026", crv: P-384, … }] }',
  ),
  'tenant.applications[].client.jwks.keys': field(
    'One per key that it may sign with; two while it rotates.',
    '[{ kty: EC, kid: "2026", crv: P-384, … }]',
  ),
  'tenant.applications[].client.jwks.keys[].kty': field('The kind of key: RSA, EC or OKP.', 'EC'),
  'tenant.applications[].client.jwks.keys[].kid': field('The name of the key; each assertion says it.', '"2026"'),
  'tenant.applications[].client.jwks.keys[].use': field('sig, or absent.', 'sig'),
  'tenant.applications[].client.jwks.keys[].key_ops': field('With verify in it, or absent.', '[verify]'),
  'tenant.applications[].client.jwks.keys[].alg': field('The algorithm, or absent.', 'ES384'),
  'tenant.applications[].client.jwks.keys[].n': field('RSA: the modulus, 2048 bits or more.', '"…"'),
  'tenant.applications[].client.jwks.keys[].e': field('RSA: the exponent.', 'AQAB'),
  'tenant.applications[].client.jwks.keys[].crv': field('EC and OKP: the curve.', 'P-384'),
  'tenant.applications[].client.jwks.keys[].x': field('EC and OKP: the x coordinate.', '"…"'),
  'tenant.applications[].client.jwks.keys[].y': field('EC: the y coordinate.', '"…"'),

  'tenant.signIn': field(
    'Where the organization’s own people sign in for the console and the admin API (OpenID Connect).',
    '{ issuer: https://login.lakeside.example, clientId: formulary, groupsClaim: groups, roles: { formulary-admins: tenant-admin } }',
  ),
  'tenant.signIn.issuer': field(
    'The address of the provider, as its metadata says it. Register <ADMIN_URL>/sign-in/callback/<tenant> there.',
    'https://login.lakeside.example',
  ),
  'tenant.signIn.clientId': field('What the provider calls Formulary.', 'formulary'),
  'tenant.signIn.clientSecretEnv': field(
    'An environment variable that holds our secret there; absent for a public client.',
    'LAKESIDE_SIGN_IN_SECRET',
  ),
  'tenant.signIn.scopes': field(
    'What is asked of the provider; openid is among it. Some tell groups only for a scope of their own.',
    '[openid, profile]',
  ),
  'tenant.signIn.groupsClaim': field('The claim that lists the groups of whoever signs in.', 'groups'),
  'tenant.signIn.roles': field(
    'Which role a group has here. Of the owner: owner-admin, licensing, finance, auditor; of others: tenant-admin, tenant-viewer.',
    '{ formulary-admins: tenant-admin, formulary-readers: tenant-viewer }',
  ),
  'tenant.signIn.roles.*': field('The role of the group.', 'tenant-admin'),

  'license.license': field('The number on the contract; never used twice.', 'LIC-2026-0001'),
  'license.plan': field('The plan that prices its use.', 'standard-2026'),
  'license.term': field(
    'When it holds.',
    '{ start: 2026-07-01T00:00:00-05:00, end: 2027-07-01T00:00:00-05:00, graceDays: 14 }',
  ),
  'license.term.start': field('The first instant, with its offset.', '2026-07-01T00:00:00-05:00'),
  'license.term.end': field('The first instant that is no longer in it, with its offset.', '2027-07-01T00:00:00-05:00'),
  'license.term.graceDays': field('Days after the end on which calls still pass, marked as grace.', '14'),
  'license.evaluation': field('true for an evaluation: never for treatment.', 'true'),
  'license.expiry': field(
    'What the end does: stop at once, grace for graceDays (when absent), or read-only: after the grace still readable.',
    'grace',
  ),
  'license.attestations': field(
    'What the tenant has to have attested from an instant on; overdue, no call passes.',
    '[{ kind: training, due: 2026-09-01T00:00:00Z }]',
  ),
  'license.attestations[].kind': field('What is attested.', 'training'),
  'license.attestations[].due': field('From when on, with its offset.', '2026-09-01T00:00:00Z'),
  'license.breakGlass': field(
    'For treatment alone: so much more of a budget that has ended, entered and billed.',
    '{ percent: 10 }',
  ),
  'license.breakGlass.percent': field('Percent of the budget, 50 at most.', '10'),
  'license.entitlements': field(
    'The rights, one per model and way of use.',
    '[{ model: clinical-assistant, versions: ">=1.0.0 <2.0.0", pin: 1.2.0, audiences: [clinician], purposes: [TREAT] }]',
  ),
  'license.entitlements[].model': field('The model.', 'clinical-assistant'),
  'license.entitlements[].versions': field('The versions that may be named (a semver range).', '">=1.0.0 <2.0.0"'),
  'license.entitlements[].pin': field(
    'The version that the bare name means. It changes here and nowhere else.',
    '1.2.0',
  ),
  'license.entitlements[].sunset': field(
    'From then on the pinned version is refused. The tenant gets a notice when it is applied.',
    '2027-03-01T00:00:00-05:00',
  ),
  'license.entitlements[].audiences': field('For whom.', '[clinician]'),
  'license.entitlements[].purposes': field('For what (HL7 v3 purposes of use).', purposesExample),
  'license.entitlements[].facilities': field('At which sites; absent: at all of the tenant.', '[lakeside-general]'),
  'license.rates': field(
    'Ceilings over the whole license; absent: not limited.',
    '{ requestsPerMinute: 600, tokensPerMinute: 400000, concurrency: 64 }',
  ),
  'license.rates.requestsPerMinute': field('Calls that begin within a minute.', '600'),
  'license.rates.tokensPerMinute': field('Tokens reserved within a minute.', '400000'),
  'license.rates.concurrency': field('Calls at the same time.', '64'),
  'license.budgets': field(
    'What may be used per period.',
    '[{ meter: tokens, limit: 50000000, per: month, overage: deny }]',
  ),
  'license.budgets[].meter': field('What is counted; cost is in the currency of the plan.', 'tokens'),
  'license.budgets[].limit': field('A whole number; for cost a decimal in quotes.', '50000000'),
  'license.budgets[].per': field('The period: UTC days or months, or the whole term.', 'month'),
  'license.budgets[].overage': field('deny refuses a call that would go over; allow only counts.', 'deny'),
  'license.budgets[].model': field('Only the use of this model.', 'clinical-assistant'),
  'license.budgets[].application': field('Only the use by this application.', 'ehr'),
  'license.budgets[].facility': field('Only the use at this site.', 'lakeside-general'),
  'license.residency': field('The regions whose deployments may serve it.', '[us-east, us-central]'),
  'license.privacy': field(
    'What happens to content before it leaves for a model host, by audience.',
    '{ clinician: pass }',
  ),
  'license.privacy.*': field('pass, detect, pseudonymize, redact or block.', 'pass'),
}
