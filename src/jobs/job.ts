import type { Log } from '../kernel/index.ts'
import type { Database } from '../db/index.ts'

export interface JobNeeds {
  readonly database: Database
  readonly log: Log
}

/** Something done again and again by every process; doing it twice at once is harmless. */
export interface Job {
  readonly name: string
  readonly everySeconds: number
  run(needs: JobNeeds): Promise<void>
}
