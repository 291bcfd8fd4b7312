import { scanNumber, scannedNumber } from './json-number.ts'
import {
  CLOSE_OBJECT,
  COMMA,
  isSpace,
  OPEN_OBJECT,
  openBytes,
  QUOTE,
  skipColon,
  skipPlainText,
  skipSpace,
  skipValue,
  UNSURE,
} from './json-scan.ts'
import { KeyTree } from './key-tree.ts'
import { readTime } from './time.ts'
import { TimeScanner } from './time-scan.ts'

/** Longer values are parsed: the bound of a value is kept there. */
const VALUE_BYTES_MAX = 1 << 20

/** In the order in which they are preferred. */
const TIMES = ['@timestamp', 'timestamp', 'time', 'ts'] as const
const OTHER = -1

/** Number of the first member that is not a time. */
export const FIRST_MEMBER = TIMES.length

/** Goes over a record that is one JSON object and reads the members that are named, each at most once. */
export abstract class ObjectScanner {
  /** The preferred one of the times that were there. */
  protected timeMs = 0
  readonly #keys: KeyTree<number>
  readonly #times = new TimeScanner()
  #timeRank = 0

  /** @param members names that {@link readMember} is called for, numbered from {@link FIRST_MEMBER} on; 28 at most */
  constructor(members: readonly string[]) {
    const numbers = new Map([...TIMES, ...members].map((name, index) => [name, index]))
    this.#keys = new KeyTree((name) => numbers.get(name) ?? OTHER)
  }

  /** @returns the position behind the value at `at`, or UNSURE */
  protected abstract readMember(member: number, bytes: Uint8Array, at: number, end: number): number

  /** @returns a bit for each member that was there; 0 for a record that is to be parsed, one without a time included */
  protected scanObject(value: Uint8Array | null): number {
    if (value === null || value.length > VALUE_BYTES_MAX) return 0
    const bytes = openBytes(value)
    const start = value.byteOffset
    const end = start + value.length
    let at = skipSpace(bytes, start)
    if (bytes[at] !== OPEN_OBJECT) return 0
    this.#timeRank = FIRST_MEMBER
    let node = this.#keys.root
    let seen = 0
    at = skipSpace(bytes, at + 1)
    for (;;) {
      if (bytes[at] !== QUOTE) return 0
      const next = this.#keys.next(node, bytes, at + 1, end)
      if (next === null) return 0
      at = skipColon(bytes, at + 1 + this.#keys.length(next))
      if (at < 0) return 0
      node = next
      const member = next.mark
      if (member === OTHER) at = skipValue(bytes, at, end)
      else {
        seen |= 1 << member
        at = member < FIRST_MEMBER ? this.#readTime(member, bytes, at, end) : this.readMember(member, bytes, at, end)
      }
      if (at < 0) return 0
      at = skipSpace(bytes, at)
      if (bytes[at] !== COMMA) break
      at = skipSpace(bytes, at + 1)
    }
    if (bytes[at] !== CLOSE_OBJECT || !isSpace(bytes, at + 1, end)) return 0
    return this.#timeRank === FIRST_MEMBER ? 0 : seen
  }

  #readTime(rank: number, bytes: Uint8Array, at: number, end: number): number {
    let timeMs: number
    let behind: number
    if (bytes[at] === QUOTE) {
      behind = skipPlainText(bytes, at + 1, end)
      if (behind < 0) return UNSURE
      timeMs = this.#times.read(bytes, at + 1, behind - 1)
    } else {
      behind = scanNumber(bytes, at)
      if (behind < 0) return UNSURE
      timeMs = readTime(scannedNumber()) ?? Number.NaN
    }
    if (Number.isNaN(timeMs)) return UNSURE
    if (rank < this.#timeRank) {
      this.#timeRank = rank
      this.timeMs = timeMs
    }
    return behind
  }
}
