import type { OpenAPIHono, RouteConfig } from '@hono/zod-openapi'
import { z } from '@hono/zod-openapi'

const OauthError = z.object({ error: z.string(), error_description: z.string() }).openapi('OauthError')
const assertion = {
  client_assertion_type: z.literal('urn:ietf:params:oauth:client-assertion-type:jwt-bearer'),
  client_assertion: z.string().describe('A JWT that your client signed for us (RFC 7523), shown once.'),
  client_id: z.string().optional(),
}
const TokenRequest = z
  .object({ grant_type: z.literal('client_credentials'), scope: z.string(), ...assertion })
  .openapi('TokenRequest')
const TokenAnswer = z
  .object({ access_token: z.string(), token_type: z.enum(['bearer', 'DPoP']), expires_in: z.int(), scope: z.string() })
  .openapi('Token')
const AboutToken = z
  .object({ token: z.string(), token_type_hint: z.string().optional(), ...assertion })
  .openapi('AboutToken')
const Introspection = z
  .looseObject({
    active: z.boolean(),
    scope: z.string().optional(),
    client_id: z.string().optional(),
    exp: z.int().optional(),
  })
  .openapi('Introspection')
const Metadata = z
  .looseObject({ issuer: z.string(), token_endpoint: z.string(), jwks_uri: z.string() })
  .openapi('AuthorizationServer')

const json = (schema: z.ZodType, description: string) => ({ description, content: { 'application/json': { schema } } })
const errors = {
  400: json(OauthError, 'The request is wrong (RFC 6749, section 5.2).'),
  401: json(OauthError, 'The client was not authenticated.'),
  429: json(OauthError, 'Not authenticated, like too many others from the same network; see Retry-After.'),
  503: json(OauthError, 'Not available now; see Retry-After.'),
}
const form = (schema: z.ZodType) => ({
  headers: z.object({ dpop: z.string().optional().describe('A proof of the key to bind the token to (RFC 9449).') }),
  body: { content: { 'application/x-www-form-urlencoded': { schema } }, required: true },
})
const post = (path: string, summary: string, request: z.ZodType, answer: { description: string }): RouteConfig => ({
  method: 'post',
  path,
  summary,
  request: form(request),
  responses: { 200: answer, ...errors },
})
const document = (path: string, summary: string): RouteConfig => ({
  method: 'get',
  path,
  summary,
  responses: { 200: json(Metadata, summary), 404: { description: 'No tokens are issued here.' } },
})

/** Every route of the token service, as /openapi.json names it. */
const tokenService: readonly RouteConfig[] = [
  post(
    '/oauth/token',
    'An access token for a signed assertion',
    TokenRequest,
    json(TokenAnswer, 'A token for five minutes.'),
  ),
  post(
    '/oauth/introspect',
    'What a token of your tenant is (RFC 7662)',
    AboutToken,
    json(Introspection, 'Active or not.'),
  ),
  post('/oauth/revoke', 'Takes a token of yours back (RFC 7009)', AboutToken, {
    description: 'It opens nothing any more.',
  }),
  document('/.well-known/smart-configuration', 'What SMART clients discover'),
  document('/.well-known/oauth-authorization-server', 'What OAuth clients discover (RFC 8414)'),
]

export function describeOauth(app: OpenAPIHono): void {
  for (const route of tokenService) app.openAPIRegistry.registerPath(route)
}
