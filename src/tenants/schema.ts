import { z } from 'zod'
import semver from 'semver'
import { instant } from '../kernel/index.ts'
import {
  Audience,
  CertificateThumbprint,
  clientCertificatesMax,
  clientKeysMax,
  Profile,
  PublicJwk,
  Purpose,
  Role,
  scopes,
  SenderConstraint,
  TenantKind,
} from '../identity/index.ts'
import { Terms } from '../licensing/index.ts'
import { protocols, Stage } from '../policy/index.ts'
import { Card, SignOffRole } from '../release/index.ts'
import { PlanTerms, Price } from '../billing/index.ts'

/**
 * The four kinds of files under tenants/. A refinement's message is what to write instead, so that it reads well
 * after "write": `explain-issue.ts` makes the sentence. What a key means stands in `fields.ts`.
 */
const slug = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$/, 'lower-case letters, digits and hyphens, 64 at most')
const ModelName = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9.-]{0,62}[a-z0-9])?$/, 'lower-case letters, digits, hyphens and dots, 64 at most')
/** Shown in consoles and terminals: a control character in it could repaint what an operator reads. */
const Title = z
  .string()
  .min(1)
  .max(200)
  .regex(/^[^\p{Cc}\p{Zl}\p{Zp}]*$/u, 'one line of text without control characters')
const Version = z.string().refine((text) => semver.valid(text) === text, 'a version of three parts, such as 1.2.0')
/** The offset is required: a term that ends at midnight ends at somebody's midnight. */
const Timestamp = z.iso.datetime({ offset: true }).transform((text) => instant(Date.parse(text)))

/** Where a deployment answers. Its secret is named under `credential`, never written into the address. */
const Address = z
  .string()
  .max(2000)
  .refine(
    (text) => URL.canParse(text) && /^https?:\/\/[^\s\\]+$/.test(text),
    'an absolute address, such as https://models.example/v1',
  )
  .refine(
    (text) => !URL.canParse(text) || (new URL(text).username === '' && new URL(text).password === ''),
    'the address without a user or password in it; name the secret under credential: { env: … }',
  )
  .refine((text) => !/[?#]/.test(text), 'the address without a query or fragment')

/** Set by whoever runs the gateway, for the gateway: a declaration must not send one of these to a model host. */
const gatewayVariable =
  /^(PORT|ADMIN_PORT|HOST|PUBLIC_URL|ADMIN_URL|DATABASE_(?:OWNER_)?URL|DATA_DIR|TENANTS_DIR|REDIS_URL|OWNER_TOKEN|MODEL_HOST|WORKERS|KEY_PEPPER|SIGNING_KEY)$|^(STRIPE|PG|NODE|AWS|AZURE|GOOGLE)_?/
const VariableName = z
  .string()
  .regex(/^[A-Z][A-Z0-9_]{0,127}$/, 'the name of an environment variable, such as EAST_KEY; never the secret itself')
  .refine(
    (text) => !gatewayVariable.test(text),
    'a variable of its own, such as EAST_KEY; this one belongs to the gateway',
  )

const Deployment = z.strictObject({
  name: slug,
  url: Address,
  model: z
    .string()
    .regex(
      /^(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._:/-]{0,199}$/,
      'the name that the model host knows it by, without spaces',
    ),
  region: slug,
  weight: z.int().min(0).max(1000).default(1),
  credential: z.strictObject({ env: VariableName }).optional(),
})

/** A decision of a person, reviewed with the file that it stands in. */
const SignOff = z.strictObject({
  to: Stage,
  role: SignOffRole,
  by: Title,
  on: z.iso.date().transform((text) => instant(Date.parse(text))),
})

const ModelVersion = z.strictObject({
  version: Version,
  stage: Stage,
  limits: z
    .strictObject({
      contextTokens: z.int().min(1).max(100_000_000),
      outputTokens: z.int().min(0).max(100_000_000),
    })
    .optional(),
  recalled: Title.optional(),
  card: Card.optional(),
  signOffs: z.array(SignOff).max(100).default([]),
  deployments: z.array(Deployment).max(100),
})

export const ModelFile = z.strictObject({
  model: ModelName,
  title: Title,
  protocol: z.enum(protocols),
  noticeDays: z.int().min(0).max(366).default(30),
  versions: z.array(ModelVersion).min(1).max(1000),
})
export type ModelFile = z.infer<typeof ModelFile>

export const PlanFile = z.strictObject({
  plan: slug,
  currency: z.string().regex(/^[A-Z]{3}$/, 'the three capital letters of ISO 4217, such as USD'),
  // The same options as billing's union, told apart by their meter, so that a mistake is explained by the right one.
  prices: z.array(z.discriminatedUnion('meter', Price.options)).max(1000),
  ...PlanTerms.shape,
})
export type PlanFile = z.infer<typeof PlanFile>

const Facility = z.strictObject({ facility: slug, name: Title, region: slug })

/** Where a client publishes its keys. Plain http is for development; a gateway in production fetches https only. */
const KeysAddress = z
  .string()
  .max(2000)
  .refine(
    (text) => URL.canParse(text) && /^https?:\/\/[^\s\\@]+$/.test(text) && !text.includes('#'),
    'the https address of a JSON Web Key Set, without a user or a fragment, such as https://ehr.example/jwks.json',
  )
/** Exactly the members that are kept: a private one, or one that we would pass over, is told. */
const DeclaredJwk = z.strictObject(PublicJwk.shape)
const Client = z.strictObject({
  profile: Profile,
  senderConstraint: SenderConstraint.optional(),
  certificates: z.array(CertificateThumbprint).min(1).max(clientCertificatesMax).optional(),
  jwksUri: KeysAddress.optional(),
  jwks: z.strictObject({ keys: z.array(DeclaredJwk).min(1).max(clientKeysMax) }).optional(),
})

const Application = z.strictObject({
  application: slug,
  audience: Audience,
  facilities: z.array(slug).min(1).max(1000),
  purposes: z.array(Purpose).min(1).max(100),
  scopes: z.array(z.enum(scopes)).min(1),
  client: Client.optional(),
})

/** As it stands in the provider's own metadata, to the letter. Plain http is for development. */
const Issuer = z
  .string()
  .max(2000)
  .refine(
    (text) => URL.canParse(text) && /^https?:\/\/[^\s\\@?#]+$/.test(text),
    'the https address of the provider, as its metadata says it, such as https://login.lakeside.example',
  )
const ClaimText = z
  .string()
  .min(1)
  .max(200)
  .regex(/^[^\p{Cc}]*$/u, 'text without control characters')
/** RFC 6749, section 3.3. */
const ScopeToken = z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,100}$/, 'a scope of the provider, without spaces')

/** Where an organization's own people sign in, and what their groups make them here. */
const SignIn = z.strictObject({
  issuer: Issuer,
  clientId: ClaimText,
  clientSecretEnv: VariableName.optional(),
  scopes: z.array(ScopeToken).min(1).max(20).default(['openid', 'profile']),
  groupsClaim: ClaimText,
  roles: z
    .record(ClaimText, Role)
    .refine((roles) => Object.keys(roles).length >= 1 && Object.keys(roles).length <= 100, 'from 1 to 100 groups'),
})

export const TenantFile = z.strictObject({
  tenant: slug,
  name: Title,
  kind: TenantKind,
  facilities: z.array(Facility).min(1).max(1000),
  applications: z.array(Application).min(1).max(1000),
  signIn: SignIn.optional(),
})
export type TenantFile = z.infer<typeof TenantFile>

export const LicenseFile = z.strictObject({
  license: z
    .string()
    .regex(/^[A-Z0-9][A-Z0-9-]{0,62}[A-Z0-9]$/, 'capital letters, digits and hyphens, such as LIC-2026-0001'),
  plan: slug,
  term: z
    .strictObject({ start: Timestamp, end: Timestamp, graceDays: z.int().min(0).max(366) })
    // Turned around, so that a time which could not be read is not also called too early.
    .refine((term) => !(term.end <= term.start), { path: ['end'], error: 'an end that lies after the start' }),
  evaluation: z.boolean().default(false),
  ...Terms.shape,
})
export type LicenseFile = z.infer<typeof LicenseFile>

export const files = { model: ModelFile, plan: PlanFile, tenant: TenantFile, license: LicenseFile } as const
export type FileKind = keyof typeof files
