import { emptyMemory } from '../../gateway/index.ts'
import { provideWorkersCedar } from './cedar.ts'
import { readConfig, type Env } from './config.ts'
import { workersLog } from './log.ts'
import { runJobsOnce } from './run-jobs-once.ts'
import { serveRequest, type ExecutionContext, type Isolate } from './serve-request.ts'

provideWorkersCedar()

let isolate: Isolate | undefined

/** What this isolate keeps, read from the environment of its first event. @throws ConfigError when a setting is wrong. */
function theIsolate(env: Env): Isolate {
  isolate ??= { config: readConfig(env), log: workersLog, memory: emptyMemory(), isRoleBound: false }
  return isolate
}

/** The data plane on Cloudflare Workers. */
export default {
  async fetch(request: Request, env: Env, context: ExecutionContext): Promise<Response> {
    try {
      return await serveRequest(theIsolate(env), request, { env, context })
    } catch (error) {
      // A wrong setting is our outage, and says nothing of the inside.
      workersLog.error('worker.broke', {}, error)
      return new Response(null, { status: 503, headers: { 'retry-after': '60', 'cache-control': 'no-store' } })
    }
  },

  /** The cron trigger of wrangler.toml. */
  async scheduled(_event: unknown, env: Env): Promise<void> {
    await runJobsOnce(theIsolate(env), env)
  },
}
