import { main } from '../../src/cli/main.ts'
import type { TestDatabase } from './postgres.ts'

export interface Said {
  readonly status: number
  /** Its lines, each with its end. */
  readonly out: string
  readonly err: string
}

/** A command in the test's own process and on its database. What only a process of its own shows is `command.ts`'s. */
export async function runFormulary(
  databases: Pick<TestDatabase, 'appUrl' | 'ownerUrl'>,
  args: readonly string[],
): Promise<Said> {
  const said = { out: '', err: '' }
  const status = await main(args, {
    environment: { DATABASE_URL: databases.appUrl, DATABASE_OWNER_URL: databases.ownerUrl, KEY_PEPPER: 'x'.repeat(40) },
    out: (line) => void (said.out += `${line}\n`),
    err: (line) => void (said.err += `${line}\n`),
  })
  return { status, ...said }
}
