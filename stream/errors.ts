/**
 * Every operational error, with what the caller must do about it. Bad data is never an error: it is a `Rejected`.
 * Only the runtime retries, and only where `canRetry` says so.
 */
const codes = {
  CONFIGURATION_INVALID: { canRetry: false, exitCode: 78 },
  CONFIGURATION_CHANGED: { canRetry: false, exitCode: 78 },
  USAGE: { canRetry: false, exitCode: 64 },
  NOT_FOUND: { canRetry: false, exitCode: 66 },
  INPUT_UNREADABLE: { canRetry: false, exitCode: 66 },
  BROKER_UNAVAILABLE: { canRetry: true, exitCode: 69 },
  DATABASE_UNAVAILABLE: { canRetry: true, exitCode: 69 },
  SERVICE_UNAVAILABLE: { canRetry: true, exitCode: 69 },
  /** The log or the runtime broke a rule that results rest on: the process stops rather than answer wrongly. */
  INVARIANT_BROKEN: { canRetry: false, exitCode: 70 },
  /** A consumer ended for good; a supervisor starts the process again. */
  CONSUMER_DEAD: { canRetry: false, exitCode: 75 },
  /** Another owner of the task stored meanwhile: the task is recovered from what he stored. */
  CHECKPOINT_REFUSED: { canRetry: true, exitCode: 75 },
  PERMISSION_DENIED: { canRetry: false, exitCode: 77 },
  AUDIT_BROKEN: { canRetry: false, exitCode: 65 },
} as const

export type ErrorCode = keyof typeof codes

/** What each code means for its catcher and for the exit of the process. */
export const errorCodes: Readonly<Record<ErrorCode, { readonly canRetry: boolean; readonly exitCode: number }>> = codes

export class SentinelError extends Error {
  readonly code: ErrorCode
  readonly canRetry: boolean
  readonly exitCode: number

  /** @param message what went wrong and what to do next, for the person who reads it at 3 a.m. */
  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.name = 'SentinelError'
    this.code = code
    this.canRetry = codes[code].canRetry
    this.exitCode = codes[code].exitCode
  }
}

/** Stops on a broken rule of the log or the runtime. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new SentinelError('INVARIANT_BROKEN', message)
}
