import { OpenAPIHono } from '@hono/zod-openapi'
import { describeDataPlane, gatewayRoutes, openApiInfo, type Gateway, type Transport } from './gateway/index.ts'

/** The data plane: the same on Node and Workers, over the ports that differ. */
export const createApp = (gateway: Gateway, transport: Transport): OpenAPIHono => gatewayRoutes(gateway, transport)

/** The OpenAPI document of the data plane, for the file in the repository. */
export function openApiDocument(): object {
  const app = new OpenAPIHono()
  describeDataPlane(app)
  return app.getOpenAPI31Document(openApiInfo)
}
