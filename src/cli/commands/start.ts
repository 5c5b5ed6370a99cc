import { readTenantsFolder } from '../read-tenants-folder.ts'
import { applyDeclarations, declaredBy, formatProblem } from '../../tenants/index.ts'
import { instant } from '../../kernel/index.ts'
import type { Database } from '../../db/index.ts'
import type { Config } from '../../platform/node/config.ts'
import { nodeLog } from '../../platform/node/log.ts'
import { startHouse, type Started } from '../../platform/node/start.ts'
import { StartError } from '../../platform/node/start-error.ts'
import { banner } from '../banner.ts'
import { listenForInterruption } from '../interruption.ts'

/** `npm start`: everything on this machine, until Ctrl-C. */
export async function runStart(
  config: Config,
  io: { readonly environment: NodeJS.ProcessEnv; out(line: string): void },
): Promise<0 | 130> {
  const began = performance.now()
  const log = nodeLog(config.LOG_LEVEL)
  const interruption = listenForInterruption()
  let house: Started
  try {
    house = await startHouse({
      config,
      environment: io.environment,
      log,
      interrupted: interruption.signal,
      applyDeclarations: (database) => applyFolder(database, config.TENANTS_DIR),
    })
  } catch (error) {
    // The terminal interrupts every process that is just being started, too, and each complains in its own way.
    if (interruption.signal.aborted) return 130
    throw error
  }
  io.out(banner(house.facts, config, performance.now() - began))
  await interruption.happened
  io.out('Stopping: calls in flight end first. Press Ctrl-C again to stop at once.')
  await house.stop()
  log.flush()
  return 0
}

async function applyFolder(database: Database, tenantsDir: string): Promise<void> {
  // In production a tree is applied by people: `formulary tenants apply`. What starts here is a machine of one developer.
  const by = declaredBy({ by: 'npm start', approvedBy: 'the tree in git', now: instant(Date.now()) })
  const read = await readTenantsFolder(tenantsDir)
  const applied = read.ok ? await applyDeclarations(database, read.value, by) : read
  if (!applied.ok)
    throw new StartError(
      `the declarations in ${tenantsDir} are refused:\n${applied.error.flatMap((problem) => formatProblem(problem, tenantsDir)).join('\n')}`,
    )
}
