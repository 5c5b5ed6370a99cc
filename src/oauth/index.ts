export { describeOauth } from './describe.ts'
export type { OauthNeeds } from './oauth.ts'
export { oauthRoutes } from './routes.ts'
