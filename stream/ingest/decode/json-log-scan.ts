/**
 * Plain JSON logs read from their bytes, without parsing: the same rows as `json-log.ts` and `extract.ts` make of them, or
 * none where that is not certain (nested members of Elastic's schema, numbers in quotes, escapes in what is read): then
 * the line is parsed.
 */
import { boundedNumber, cleanEntity, DURATION, ERROR, ERROR_AND_5XX, isErrorLevel, NO_NAMES } from '../extract.ts'
import { scanNumber, scannedNumber } from './json-number.ts'
import { isDigitOrMinus, QUOTE, skipPlainText, UNSURE } from './json-scan.ts'
import { FIRST_MEMBER, ObjectScanner } from './object-scan.ts'
import { emptyScannedRow, NULL, NUMBER, type RowScanner, type ScannedRow } from './scanned-row.ts'
import { TextTable } from './text-table.ts'

/** The last ones are other places of what is read: where one is there, the line is parsed. */
const members = [
  'service',
  'level',
  'duration_ms',
  'status_code',
  'service.name',
  'log.level',
  'http.response.status_code',
  'log',
  'http',
]
const SERVICE = FIRST_MEMBER
const LEVEL = FIRST_MEMBER + 1
const DURATION_MS = FIRST_MEMBER + 2
const STATUS = FIRST_MEMBER + 3

export class JsonLogScanner extends ObjectScanner implements RowScanner {
  readonly #row = emptyScannedRow('service')
  readonly #entities = new TextTable((service) => cleanEntity(`service:${service}`))
  readonly #levels = new TextTable()
  #isError = false
  #status = 0

  constructor() {
    super(members)
  }

  scan(value: Uint8Array | null): ScannedRow | null {
    this.#isError = false
    this.#status = 0
    const seen = this.scanObject(value)
    if ((seen & (1 << SERVICE)) === 0) return null
    const row = this.#row
    const hasDuration = (seen & (1 << DURATION_MS)) !== 0
    const hasStatus = this.#status >= 100 && this.#status < 600
    const is5xx = hasStatus && this.#status >= 500
    row.timeMs = this.timeMs
    row.names = hasDuration ? DURATION : NO_NAMES
    row.rates = hasStatus ? ERROR_AND_5XX : ERROR
    row.hits = (is5xx || this.#isError ? 1 : 0) | (is5xx ? 2 : 0)
    return row
  }

  protected override readMember(member: number, bytes: Uint8Array, at: number, end: number): number {
    if (member === SERVICE) return this.#readService(bytes, at, end)
    if (member === LEVEL) return this.#readLevel(bytes, at, end)
    // a number in quotes counts as one, and is seldom
    if ((member !== DURATION_MS && member !== STATUS) || !isDigitOrMinus(bytes[at])) return UNSURE
    const behind = scanNumber(bytes, at)
    if (behind < 0) return UNSURE
    if (member === STATUS) this.#status = scannedNumber()
    else this.#setDuration(scannedNumber())
    return behind
  }

  #readService(bytes: Uint8Array, at: number, end: number): number {
    if (bytes[at] !== QUOTE) return UNSURE
    const behind = skipPlainText(bytes, at + 1, end)
    if (behind < 0 || behind === at + 2) return UNSURE
    this.#row.entity = this.#entities.get(bytes, at + 1, behind - 1)
    return behind
  }

  #readLevel(bytes: Uint8Array, at: number, end: number): number {
    if (bytes[at] !== QUOTE) {
      const behind = scanNumber(bytes, at)
      if (behind >= 0) this.#isError = isErrorLevel(scannedNumber())
      return behind
    }
    const behind = skipPlainText(bytes, at + 1, end)
    if (behind >= 0) this.#isError = isErrorLevel(this.#levels.get(bytes, at + 1, behind - 1))
    return behind
  }

  #setDuration(durationMs: number): void {
    const row = this.#row
    const value = durationMs >= 0 ? boundedNumber(durationMs) : null
    row.types[0] = value === null ? NULL : NUMBER
    row.numbers[0] = value ?? 0
  }
}
