import pg from 'pg'
import { Failure } from '../kernel/index.ts'

/** The name of the constraint that an error says was violated, so that a store can turn it into its refusal. */
export function violatedConstraint(error: unknown): string | undefined {
  const cause = error instanceof Failure ? error.cause : error
  return cause instanceof pg.DatabaseError && cause.code?.startsWith('23') === true ? cause.constraint : undefined
}

/** Serialization failures, deadlocks: the same work may succeed when it is done again. */
const retryableCodes = new Set(['40001', '40P01'])
/** Too many connections, shutting down, starting up, out of resources: the database is not there for now. */
const absentClasses = ['08', '53', '57', '58']
/** The login or the database of the connection string was refused: ours is wrong, whatever a caller asked. */
const loginClasses = ['28', '3D']

/** Tells a broken database from an answer of the database: the first is a Failure, the second is thrown as it came. */
export async function asFailure<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof pg.DatabaseError) {
      const code = error.code ?? ''
      if (retryableCodes.has(code) || absentClasses.some((part) => code.startsWith(part)))
        throw new Failure('database', `the database answered ${code}`, { retryable: true, cause: error })
      if (loginClasses.some((part) => code.startsWith(part)))
        throw new Failure('database', `the database refuses the login (${code}): is its connection string right?`, {
          retryable: true,
          cause: error,
        })
      throw error
    }
    if (isConnectionError(error))
      throw new Failure('database', 'the database cannot be reached', { retryable: true, cause: error })
    throw error
  }
}

const connectionCodes = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ENOTFOUND', 'EHOSTUNREACH'])

/** The words of pg for a connection that broke or never came, and of workerd, whose sockets say no code. */
const connectionWords = [
  /connection terminated|timeout exceeded when trying to connect|connection timeout|query read timeout/i,
  /client has encountered a connection error|server conn crashed/i,
  /proxy request failed|network connection lost|stream was cancelled/i,
]

function isConnectionError(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  if ('code' in error && typeof error.code === 'string' && connectionCodes.has(error.code)) return true
  return connectionWords.some((words) => words.test(error.message))
}
