/** Connections to PostgreSQL, and its errors in our words. */
import pg from 'pg'
import { SentinelError } from '../../errors.ts'

export type Pool = pg.Pool
export type Client = pg.PoolClient

export interface PoolOptions {
  /** postgres://user:password@host:port/database */
  readonly url: string
  /** The environment variable that the URL came by: what an error says is to be corrected. */
  readonly variable?: string
  /** Connections at most (count). Sink partitions, checkpoints and the API share them. */
  readonly maxConnections?: number
  readonly connectTimeoutMs?: number
  /** After this the server stops a statement, so that nothing waits for a lock for ever. */
  readonly statementTimeoutMs?: number
  readonly applicationName?: string
  /** Told of a connection that broke while nobody used it; the pool has replaced it already. */
  readonly onIdleError?: (error: SentinelError) => void
}

/**
 * A pool of connections. None is made before the first query. All statements of ours name their schema, so that one
 * pool may serve several.
 *
 * @throws CONFIGURATION_INVALID for a URL that cannot be read
 */
export function createPool(options: PoolOptions): Pool {
  const statementTimeoutMs = options.statementTimeoutMs ?? 30_000
  const variable = options.variable ?? 'DATABASE_URL'
  assertUrl(options.url, variable)
  const pool = new pg.Pool({
    connectionString: options.url,
    max: options.maxConnections ?? 8,
    connectionTimeoutMillis: options.connectTimeoutMs ?? 5_000,
    idleTimeoutMillis: 30_000,
    keepAlive: true,
    application_name: options.applicationName ?? 'sentinel-stream',
    statement_timeout: statementTimeoutMs,
    // a half-open connection answers nothing at all, not even the statement's own timeout
    query_timeout: statementTimeoutMs + 5_000,
    idle_in_transaction_session_timeout: 60_000,
    types: { getTypeParser },
  })
  variables.set(pool, variable)
  // without a listener the loss of an idle connection would end the process
  pool.on('error', (error) => {
    const mapped = databaseError(error, 'an idle connection broke', variable)
    if (mapped instanceof SentinelError) options.onIdleError?.(mapped)
  })
  return pool
}

/** By which environment variable a pool found its database. */
const variables = new WeakMap<Pool, string>()

/** Runs statements on one connection. @throws SentinelError, see {@link databaseError} */
export async function withClient<T>(pool: Pool, what: string, work: (client: Client) => Promise<T>): Promise<T> {
  let client: Client
  try {
    client = await pool.connect()
  } catch (cause) {
    throw databaseError(cause, what, variables.get(pool))
  }
  let broken: Error | undefined
  // a connection that is lent out and breaks between two statements tells only this listener
  const onError = (error: Error): void => {
    broken = error
  }
  client.on('error', onError)
  try {
    return await work(client)
  } catch (cause) {
    if (isConnectionLoss(cause)) broken ??= cause as Error
    throw databaseError(cause, what, variables.get(pool))
  } finally {
    client.off('error', onError)
    client.release(broken)
  }
}

/** Runs statements in one transaction: all of them count, or none. */
export async function withTransaction<T>(pool: Pool, what: string, work: (client: Client) => Promise<T>): Promise<T> {
  return withClient(pool, what, async (client) => {
    await client.query('begin')
    try {
      const result = await work(client)
      await client.query('commit')
      return result
    } catch (error) {
      await client.query('rollback').catch(() => {}) // a lost connection has rolled back already
      throw error
    }
  })
}

/** Thrown within a transaction to leave it without effect; the caller catches it. */
export class Rollback extends Error {}

/**
 * Says in our words what PostgreSQL or the network said, where it is operational; anything else is a fault of ours and
 * comes back as it is.
 */
export function databaseError(cause: unknown, what: string, variable = 'DATABASE_URL'): unknown {
  if (cause instanceof SentinelError || cause instanceof Rollback || !(cause instanceof Error)) return cause
  const code = errorCode(cause)
  const said = `${what}: ${cause.message}`
  if (code === '28P01' || code === '28000') {
    return new SentinelError(
      'PERMISSION_DENIED',
      `${said}. Check the user and password of ${variable}, and pg_hba.conf.`,
      { cause },
    )
  }
  if (code === '42501') {
    return new SentinelError('PERMISSION_DENIED', `${said}. Grant the role of ${variable} what is missing.`, { cause })
  }
  if (code === '3D000') {
    return new SentinelError('CONFIGURATION_INVALID', `${said}. Create the database or correct ${variable}.`, {
      cause,
    })
  }
  if (code === '42P01' || code === '3F000') {
    return new SentinelError('CONFIGURATION_INVALID', `${said}. Run \`sentinel migrate\` to make the tables.`, {
      cause,
    })
  }
  const advice = advised(cause, { code, variable })
  return advice === null ? cause : new SentinelError('DATABASE_UNAVAILABLE', `${said}. ${advice}`, { cause })
}

function advised(cause: Error, { code, variable }: { code: string; variable: string }): string | null {
  if (code === '57014' || cause.message === 'Query read timeout') {
    return 'The statement took too long: look for locks in pg_stat_activity, and at the load of the database.'
  }
  if (code === '53100') return 'The disk of the database is full: free space, or shorten the retention.'
  if (code === '53300') return 'The database has no connection left: raise max_connections or lower the pool.'
  if (code === '40001' || code === '40P01' || code === '55P03') return 'It is tried again; no action is needed.'
  if (code === '25006') return `The database is read-only: point ${variable} at the primary.`
  if (isConnectionLoss(cause)) {
    return `Check that the database of ${variable} runs and can be reached.`
  }
  if (code.startsWith('53') || code.startsWith('58')) return 'The database lacks a resource: see its own log.'
  return null
}

const networkCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ETIMEDOUT',
  'EPIPE',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOENT',
])

function isConnectionLoss(cause: unknown): boolean {
  if (!(cause instanceof Error)) return false
  const code = errorCode(cause)
  if (code.startsWith('08') || /^57P0[1-5]$/.test(code) || code === '25P03' || networkCodes.has(code)) return true
  return /^(Connection terminated|Query read timeout|timeout exceeded when trying to connect|Client has encountered a connection error)/.test(
    cause.message,
  )
}

/** SQLSTATE, or the system's error code; '' where there is none. A host with several addresses gives an AggregateError. */
export function errorCode(cause: unknown): string {
  const code = (cause as { code?: unknown } | null)?.code
  if (typeof code === 'string') return code
  return cause instanceof AggregateError && cause.errors.length > 0 ? errorCode(cause.errors[0]) : ''
}

/** bigint columns come as numbers: offsets and counts are safe integers. Set for our connections, not for all of pg. */
const getTypeParser = ((oid: number, format?: 'text' | 'binary') =>
  oid === pg.types.builtins.INT8
    ? Number
    : pg.types.getTypeParser(oid as never, format as never)) as typeof pg.types.getTypeParser

function assertUrl(url: string, variable: string): void {
  const protocol = URL.canParse(url) ? new URL(url).protocol : ''
  if (protocol === 'postgres:' || protocol === 'postgresql:') return
  // the value may hold a password: it is not repeated
  throw new SentinelError(
    'CONFIGURATION_INVALID',
    `${variable} is not a URL of PostgreSQL: it looks like postgres://user:password@host:5432/database.`,
  )
}
