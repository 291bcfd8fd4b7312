/**
 * Steps over JSON in the bytes themselves, for the records that come by the million: nothing is made of members that
 * nobody reads. What a function here accepts, `JSON.parse` accepts, and it means the same; what it is not sure of it
 * refuses by {@link UNSURE}, and its caller parses. A text is never rejected here.
 *
 * `at` is a position in the buffer that {@link openBytes} gave, `end` where the text ends. Only what ends at `end` exactly
 * was within it: positions never go back.
 */

/** Refused: to be parsed instead, which decides whether it is JSON at all. */
export const UNSURE = -1

export const QUOTE = 0x22
export const COMMA = 0x2c
export const COLON = 0x3a
export const OPEN_OBJECT = 0x7b
export const CLOSE_OBJECT = 0x7d
const OPEN_ARRAY = 0x5b
const CLOSE_ARRAY = 0x5d
const BACKSLASH = 0x5c
const MINUS = 0x2d
const ZERO = 0x30
const NINE = 0x39

/** Deeper nesting is parsed: kinds of open brackets are bits of one integer. */
const DEPTH_MAX = 30

/** Bytes that end the plain run of a text: quote, backslash, control characters. */
const stops = new Uint8Array(256)
stops.fill(1, 0, 0x20)
stops[QUOTE] = 1
stops[BACKSLASH] = 1

let buffer: ArrayBufferLike = new ArrayBuffer(0)
let whole: Uint8Array = new Uint8Array(buffer)
let words: DataView = new DataView(buffer)

/**
 * The buffer that these bytes are a part of, for the functions here to step over: positions count from its begin. Values
 * that were fetched together lie in one. What is behind `end` is another's: a step that went there ends behind `end`.
 */
export function openBytes(bytes: Uint8Array): Uint8Array {
  if (bytes.buffer !== buffer) {
    buffer = bytes.buffer
    whole = new Uint8Array(buffer)
    words = new DataView(buffer)
  }
  return whole
}

/** Four bytes of the opened buffer as one integer; all of them lie in it. */
export function wordAt(at: number): number {
  return words.getInt32(at, true)
}

/** The first position from `start` on where a plain run may end: four bytes are looked at together. */
function skipPlain(start: number, end: number): number {
  let at = start
  while (at + 4 <= end) {
    const word = words.getInt32(at, true)
    const below = word - 0x20202020
    const quote = (word ^ 0x22222222) - 0x01010101
    const backslash = (word ^ 0x5c5c5c5c) - 0x01010101
    // a byte's highest bit remains where it was below a space, a quote or a backslash
    if (((below | quote | backslash) & ~word & 0x80808080) !== 0) return at
    at += 4
  }
  return at
}

export function skipSpace(bytes: Uint8Array, start: number): number {
  let at = start
  for (;;) {
    const byte = bytes[at]
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return at
    at++
  }
}

/** Whether only space is left, perhaps nothing; false where the end is passed already. */
export function isSpace(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const byte = bytes[at]
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return false
  }
  return start <= end
}

/** @param start behind the opening quote @returns behind the closing one. Any bytes above 0x7f are part of a text. */
export function skipText(bytes: Uint8Array, start: number, end: number): number {
  let at = skipPlain(start, end)
  while (at < end) {
    const byte = bytes[at]!
    if (stops[byte] === 0) {
      at++
      continue
    }
    if (byte === QUOTE) return at + 1
    if (byte !== BACKSLASH) return UNSURE
    at = skipEscape(bytes, at)
    if (at < 0) return UNSURE
    at = skipPlain(at, end)
  }
  return UNSURE
}

function skipEscape(bytes: Uint8Array, at: number): number {
  switch (bytes[at + 1]) {
    case QUOTE:
    case BACKSLASH:
    case 0x2f: // /
    case 0x62: // b
    case 0x66: // f
    case 0x6e: // n
    case 0x72: // r
    case 0x74: // t
      return at + 2
    case 0x75: // u
      for (let index = at + 2; index < at + 6; index++) if (!isHex(bytes[index])) return UNSURE
      return at + 6
    default:
      return UNSURE
  }
}

function isHex(byte: number | undefined): boolean {
  if (byte === undefined) return false
  const lower = byte | 0x20
  return (byte >= ZERO && byte <= NINE) || (lower >= 0x61 && lower <= 0x66)
}

/** Behind a text without an escape: its bytes are its characters. */
export function skipPlainText(bytes: Uint8Array, start: number, end: number): number {
  let at = skipPlain(start, end)
  while (at < end) {
    const byte = bytes[at]!
    if (stops[byte] !== 0) return byte === QUOTE ? at + 1 : UNSURE
    at++
  }
  return UNSURE
}

/** Behind a number of JSON's grammar. */
export function skipNumber(bytes: Uint8Array, start: number): number {
  let at = bytes[start] === MINUS ? start + 1 : start
  const first = bytes[at]
  at = first === ZERO ? at + 1 : skipDigits(bytes, at)
  if (at < 0) return UNSURE
  if (bytes[at] === 0x2e) {
    at = skipDigits(bytes, at + 1)
    if (at < 0) return UNSURE
  }
  if ((bytes[at]! | 0x20) !== 0x65) return at
  const sign = bytes[at + 1]
  return skipDigits(bytes, sign === 0x2b || sign === MINUS ? at + 2 : at + 1)
}

/** One digit at least. */
function skipDigits(bytes: Uint8Array, start: number): number {
  let at = start
  for (;;) {
    const byte = bytes[at]
    if (byte === undefined || byte < ZERO || byte > NINE) return at > start ? at : UNSURE
    at++
  }
}

export function isDigitOrMinus(byte: number | undefined): boolean {
  return byte === MINUS || (byte !== undefined && byte >= ZERO && byte <= NINE)
}

/** Behind `true`, `false` or `null`. */
export function skipLiteral(bytes: Uint8Array, at: number): number {
  switch (bytes[at]) {
    case 0x74:
      return bytes[at + 1] === 0x72 && bytes[at + 2] === 0x75 && bytes[at + 3] === 0x65 ? at + 4 : UNSURE
    case 0x66:
      return bytes[at + 1] === 0x61 && bytes[at + 2] === 0x6c && bytes[at + 3] === 0x73 && bytes[at + 4] === 0x65
        ? at + 5
        : UNSURE
    case 0x6e:
      return bytes[at + 1] === 0x75 && bytes[at + 2] === 0x6c && bytes[at + 3] === 0x6c ? at + 4 : UNSURE
    default:
      return UNSURE
  }
}

function skipScalar(bytes: Uint8Array, at: number, end: number): number {
  const byte = bytes[at]
  if (byte === QUOTE) return skipText(bytes, at + 1, end)
  return isDigitOrMinus(byte) ? skipNumber(bytes, at) : skipLiteral(bytes, at)
}

/** Behind a value of any kind. */
export function skipValue(bytes: Uint8Array, at: number, end: number): number {
  const byte = bytes[at]
  return byte === OPEN_OBJECT || byte === OPEN_ARRAY ? skipNested(bytes, at, end) : skipScalar(bytes, at, end)
}

/** From the quote of a member's name to its value. */
function skipName(bytes: Uint8Array, at: number, end: number): number {
  if (bytes[at] !== QUOTE) return UNSURE
  const behind = skipText(bytes, at + 1, end)
  return behind < 0 ? UNSURE : skipColon(bytes, behind)
}

/** From behind a member's name to its value. */
export function skipColon(bytes: Uint8Array, start: number): number {
  const at = skipSpace(bytes, start)
  return bytes[at] === COLON ? skipSpace(bytes, at + 1) : UNSURE
}

function skipNested(bytes: Uint8Array, start: number, end: number): number {
  let at = start
  let depth = 0
  /** Bit 0: the innermost bracket is an object's. */
  let kinds = 0
  for (;;) {
    const byte = bytes[at]
    if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
      if (depth === DEPTH_MAX) return UNSURE
      depth++
      kinds = (kinds << 1) | (byte === OPEN_OBJECT ? 1 : 0)
      at = skipSpace(bytes, at + 1)
      if (bytes[at] !== closerOf(kinds)) {
        if ((kinds & 1) === 1) at = skipName(bytes, at, end)
        if (at < 0) return UNSURE
        continue
      }
    } else {
      at = skipScalar(bytes, at, end)
      if (at < 0) return UNSURE
      at = skipSpace(bytes, at)
    }
    while (bytes[at] === closerOf(kinds)) {
      at++
      depth--
      kinds >>>= 1
      if (depth === 0) return at
      at = skipSpace(bytes, at)
    }
    if (bytes[at] !== COMMA) return UNSURE
    at = skipSpace(bytes, at + 1)
    if ((kinds & 1) === 1) at = skipName(bytes, at, end)
    if (at < 0) return UNSURE
  }
}

function closerOf(kinds: number): number {
  return (kinds & 1) === 1 ? CLOSE_OBJECT : CLOSE_ARRAY
}
