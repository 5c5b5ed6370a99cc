import { OpenAPIHono, z } from '@hono/zod-openapi'
import { cookieNames } from '../identity/index.ts'
import type { AnyOperation, ControlNeeds } from './operation.ts'
import { operations } from './operations.ts'
import { problemType } from './problem.ts'
import { serveOperation } from './serve-operation.ts'

export const basePath = '/admin/v1'

const Problem = z
  .looseObject({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string().optional(),
    reason: z.string(),
    errors: z.array(
      z.looseObject({
        reason: z.string(),
        message: z.string(),
        advice: z.string().optional(),
        pointer: z.string().optional().openapi({ description: 'RFC 6901, into what was sent.' }),
      }),
    ),
  })
  .openapi('Problem')

const info = {
  title: 'Formulary: the control plane',
  version: '1',
  description:
    'What the owner’s licensing office, finance and auditors do, and the administrators of tenants with what is theirs. ' +
    'Errors are problems in the form of RFC 9457. What makes something new takes an Idempotency-Key; what changes something ' +
    'takes If-Match with the ETag that was read. What allows more than before is answered 202 and waits for a second person.',
}

/** Serves every operation below `/admin/v1`, and describes them at `/admin/openapi.json`. */
export function controlPlane(needs: ControlNeeds): OpenAPIHono {
  const app = new OpenAPIHono()
  const byId = new Map(operations.map((operation) => [operation.id, operation]))
  for (const operation of operations)
    app.on(operation.method, `${basePath}${operation.path.replaceAll(/\{(\w+)\}/g, ':$1')}`, (c) =>
      serveOperation(c, operation, needs, (id) => byId.get(id)),
    )
  const document = adminOpenApiDocument()
  app.get('/admin/openapi.json', (c) => c.json(document))
  return app
}

/** The OpenAPI document of the control plane, for the file in the repository. */
export function adminOpenApiDocument(): object {
  const app = new OpenAPIHono()
  app.openAPIRegistry.registerComponent('securitySchemes', 'adminToken', { type: 'http', scheme: 'bearer' })
  app.openAPIRegistry.registerComponent('securitySchemes', 'session', {
    type: 'apiKey',
    in: 'cookie',
    name: cookieNames(true).session,
    description: 'Of somebody who has signed in. What changes something carries x-csrf-token besides.',
  })
  for (const operation of operations) describe(app, operation)
  return app.getOpenAPI31Document({ openapi: '3.1.0', info })
}

function describe(app: OpenAPIHono, operation: AnyOperation): void {
  const { id, method, path, tag, summary, roles, params, query, body, answer, creates, guard, forms } = operation
  const headers = z.object({
    ...(creates ? { 'idempotency-key': z.string().min(1).max(200) } : {}),
    ...(guard === 'required' ? { 'if-match': z.string() } : {}),
    ...(guard === 'optional' ? { 'if-match': z.string().optional() } : {}),
  })
  const json = (schema: z.ZodType) => ({ 'application/json': { schema } })
  const textual = (types: readonly string[]) => Object.fromEntries(types.map((type) => [type, { schema: z.string() }]))
  const problem = (description: string) => ({ description, content: { [problemType]: { schema: Problem } } })
  app.openAPIRegistry.registerPath({
    method,
    path: `${basePath}${path}`,
    operationId: id,
    tags: [tag],
    summary,
    description: `Roles: ${roles.join(', ')}.`,
    security: [{ adminToken: [] }, { session: [] }],
    request: {
      params: params as z.ZodObject,
      query: query as z.ZodObject,
      headers,
      ...(body === undefined ? {} : { body: { required: true, content: json(body) } }),
    },
    responses: {
      [creates ? 201 : 200]: {
        description: 'Done.',
        content: { ...(operation.open === undefined ? json(answer) : {}), ...textual(forms) },
      },
      ...(method === 'post' ? { 202: { description: 'It waits for a second person.' } } : {}),
      400: problem('The request is wrong; errors say where.'),
      401: problem('No valid token.'),
      403: problem('The role does not allow it.'),
      404: problem('It is not there, or not yours to see.'),
      ...(method === 'post' ? { 409: problem('It may not be done as things are.') } : {}),
      ...(guard === 'none' ? {} : { 412: problem('It has changed since you read it.') }),
      ...(guard === 'required' ? { 428: problem('If-Match is missing.') } : {}),
      503: problem('The database cannot be reached; see Retry-After.'),
    },
  })
}
