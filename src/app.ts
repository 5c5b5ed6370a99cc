import { OpenAPIHono } from '@hono/zod-openapi'
import { describeOauth, oauthRoutes } from './oauth/index.ts'
import { describeDataPlane, gatewayRoutes, openApiInfo, type Gateway, type Transport } from './gateway/index.ts'

/** The data plane and its token service: the same on Node and Workers, over the ports that differ. */
export function createApp(gateway: Gateway, transport: Transport): OpenAPIHono {
  const app = gatewayRoutes(gateway, transport)
  oauthRoutes(app, gateway, transport)
  return app
}

/** The OpenAPI document of the data plane, for the file in the repository. */
export function openApiDocument(): object {
  const app = new OpenAPIHono()
  describeDataPlane(app)
  describeOauth(app)
  return app.getOpenAPI31Document(openApiInfo)
}
