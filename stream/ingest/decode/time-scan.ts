import { textOf } from './json.ts'
import { readTime } from './time.ts'

/** `2024-03-01T12:00` */
const MINUTE_BYTES = 16

/** Reads times in the bytes of texts, as `readTime` does; the minute met last is not read again. */
export class TimeScanner {
  readonly #minute = new Uint8Array(MINUTE_BYTES)
  #minuteMs = Number.NaN

  /** The time of the text in bytes `[start, end)`; NaN for what is none. */
  read(bytes: Uint8Array, start: number, end: number): number {
    if (this.#isKnownMinute(bytes, start)) {
      const seconds = secondsMs(bytes, start + MINUTE_BYTES, end)
      if (seconds >= 0) return this.#minuteMs + seconds
    }
    const timeMs = readTime(textOf(bytes.subarray(start, end)))
    if (timeMs === undefined) return Number.NaN
    this.#remember(bytes, start, end)
    return timeMs
  }

  #isKnownMinute(bytes: Uint8Array, start: number): boolean {
    const minute = this.#minute
    // from its end: what differs is there
    for (let index = MINUTE_BYTES - 1; index >= 0; index--) if (bytes[start + index] !== minute[index]) return false
    return true
  }

  #remember(bytes: Uint8Array, start: number, end: number): void {
    if (secondsMs(bytes, start + MINUTE_BYTES, end) < 0) return
    const minute = bytes.subarray(start, start + MINUTE_BYTES)
    const minuteMs = readTime(textOf(minute))
    if (minuteMs === undefined) return
    this.#minute.set(minute)
    this.#minuteMs = minuteMs
  }
}

/** Milliseconds of `:SS` or `:SS.fff…` in UTC (`Z`, nothing, `+00:00`); -1 for anything else. */
function secondsMs(bytes: Uint8Array, start: number, end: number): number {
  const tens = bytes[start + 1]! - 48
  const ones = bytes[start + 2]! - 48
  if (bytes[start] !== 0x3a || !(tens >= 0 && tens <= 5 && ones >= 0 && ones <= 9)) return -1
  let ms = (tens * 10 + ones) * 1000
  let at = start + 3
  if (bytes[at] === 0x2e) {
    const first = ++at
    let scale = 100
    for (; at < end; at++) {
      const digit = bytes[at]! - 48
      if (digit < 0 || digit > 9) break
      ms += digit * scale
      scale = scale >= 10 ? scale / 10 : 0
    }
    if (at === first) return -1
  }
  return isUtc(bytes, at, end) ? ms : -1
}

function isUtc(bytes: Uint8Array, at: number, end: number): boolean {
  if (at === end) return true
  if (bytes[at] === 0x5a) return at + 1 === end
  if (bytes[at] !== 0x2b || at + 6 !== end || bytes[at + 3] !== 0x3a) return false
  return bytes[at + 1] === 48 && bytes[at + 2] === 48 && bytes[at + 4] === 48 && bytes[at + 5] === 48
}
