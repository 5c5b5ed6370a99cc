export { adminRoutes, type AdminNeeds } from './routes.ts'
