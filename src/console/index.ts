export { consoleRoutes, type ConsoleNeeds } from './routes.ts'
