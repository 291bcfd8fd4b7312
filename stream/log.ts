/** How a log line looks: JSON for machines, by pino, columns for people. `telemetry.ts` holds the lines themselves. */
import { pino } from 'pino'
import type { LogCode } from './log-codes.ts'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'
export type LogForm = 'terminal' | 'json' | 'silent'
export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined | readonly string[]>>

export interface LogLine {
  readonly level: LogLevel
  readonly code: LogCode
  readonly message: string
  readonly fields?: LogFields
}

export interface LogOptions {
  readonly form: LogForm
  /** Takes one line with its line break. */
  readonly write: (line: string) => void
  readonly level?: LogLevel
  readonly now: () => number
}

export interface Log {
  (line: LogLine): void
  /** At most one line for each key in ten seconds; it says how many were left out. */
  limited(key: string, line: LogLine): void
}

const ranks: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 }
const limitMs = 10_000
/** Keys remembered at most; beyond them a line may come too often. */
const limitedKeysMax = 1_000
const textMax = 2_000

export function createLog({ form, write, level = 'info', now }: LogOptions): Log {
  const limited = new Map<string, { sinceMs: number; left: number }>()
  const writeLine = form === 'json' ? jsonWriter({ write, now }) : (line: LogLine) => write(terminalLine(line, now()))
  const log = (line: LogLine): void => {
    if (form === 'silent' || ranks[line.level] < ranks[level]) return
    writeLine(line)
  }
  return Object.assign(log, {
    limited(key: string, line: LogLine): void {
      const nowMs = now()
      const known = limited.get(key)
      if (known !== undefined && nowMs - known.sinceMs < limitMs) {
        known.left++
        return
      }
      if (limited.size >= limitedKeysMax) limited.clear()
      limited.set(key, { sinceMs: nowMs, left: 0 })
      const left = known?.left ?? 0
      log(left === 0 ? line : { ...line, fields: { ...line.fields, repeated: left } })
    },
  })
}

/** Members of a line that never show what they hold, whoever adds them. */
const secretNames = ['token', 'password', 'secret', 'authorization', 'privateKey', 'signingKey', 'databaseUrl']

/** One JSON object a line; it is written before the call returns, so that an exit loses none. */
function jsonWriter({ write, now }: Pick<LogOptions, 'write' | 'now'>): (line: LogLine) => void {
  const logger = pino(
    {
      base: null,
      level: 'debug', // the level of the log was looked at already
      messageKey: 'message',
      timestamp: () => `,"time":"${new Date(now()).toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: secretNames, censor: '***' },
    },
    { write },
  )
  return ({ level, code, message, fields }) => {
    const values: Record<string, unknown> = { code }
    for (const [name, value] of Object.entries(fields ?? {})) {
      if (value === undefined || reserved.has(name)) continue
      values[name] = Array.isArray(value) ? value.map(safeText) : typeof value === 'string' ? safeText(value) : value
    }
    logger[level](values, '%s', safeText(message))
  }
}

const reserved: ReadonlySet<string> = new Set(['time', 'level', 'code', 'message'])

function terminalLine({ level, code, message, fields }: LogLine, nowMs: number): string {
  const time = new Date(nowMs).toISOString().slice(11, 19)
  const rest = Object.entries(fields ?? {})
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${Array.isArray(value) ? value.join(',') : value}`)
  const line = [time, level.padEnd(5), code.padEnd(22), message, ...rest].join(' ')
  return `${safeText(line)}\n`
}

/**
 * Text of elsewhere as it may stand in a log: no control characters or changes of writing direction (a record must not
 * steer a terminal), no password of a URL, no bearer token, not endless.
 */
export function safeText(text: string): string {
  return text
    .replace(/\b([a-z][a-z0-9+.-]*:\/\/)[^\s/@]*@/gi, '$1***@')
    .replace(/\b(bearer|basic)\s+[\w.~+/=-]+/gi, '$1 ***')
    .replace(/-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(-----END [A-Z ]*PRIVATE KEY-----|$)/g, '***')
    .replace(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, ' ')
    .slice(0, textMax)
}
