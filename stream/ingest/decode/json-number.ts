/**
 * Numbers read from bytes, to the last bit what `JSON.parse` makes of them.
 *
 * Up to 15 digits and a power of ten up to 22 both are exact doubles, and one operation rounds once: the right result
 * (Clinger 1990, "How to read floating point numbers accurately"). Up to 30 digits, as Python, Java and JavaScript write
 * a double in full, are divided as sums of two doubles, with an error below 2^-100: the nearest double is certain unless
 * the sum lies as close as that to the middle between two. Then, and for all else, the caller parses.
 */
import { UNSURE } from './json-scan.ts'

const result = new Float64Array(1)

/** The number that {@link scanNumber} read last. */
export function scannedNumber(): number {
  return result[0]!
}

const POWERS = Float64Array.from({ length: 23 }, (_, power) => Number(`1e${power}`))
const EXACT_DIGITS = 15
const DIGITS_MAX = 30
const POWER_MAX = 22

/**
 * @param start at its first byte, a minus or a digit
 * @returns the position behind it, UNSURE for what is no number or is to be parsed
 */
export function scanNumber(bytes: Uint8Array, start: number): number {
  let at = start
  const isNegative = bytes[at] === 0x2d
  if (isNegative) at++
  /** The first 15 digits but leading zeros, and those behind them. */
  let high = 0
  let low = 0
  let digits = 0
  let power = 0
  const whole = at
  let digit = bytes[at]! - 48
  while (digit >= 0 && digit <= 9) {
    if (digits < EXACT_DIGITS) high = high * 10 + digit
    else low = low * 10 + digit
    if (digits > 0 || digit > 0) digits++
    digit = bytes[++at]! - 48
  }
  if (at === whole || (bytes[whole] === 48 && at > whole + 1)) return UNSURE
  if (digit === -2) {
    const fraction = ++at
    digit = bytes[at]! - 48
    while (digit >= 0 && digit <= 9) {
      if (digits < EXACT_DIGITS) high = high * 10 + digit
      else low = low * 10 + digit
      if (digits > 0 || digit > 0) digits++
      digit = bytes[++at]! - 48
    }
    if (at === fraction) return UNSURE
    power = fraction - at
  }
  if ((bytes[at]! | 0x20) === 0x65) {
    const sign = bytes[++at]
    if (sign === 0x2b || sign === 0x2d) at++
    const first = at
    let exponent = 0
    digit = bytes[at]! - 48
    while (digit >= 0 && digit <= 9) {
      exponent = exponent * 10 + digit
      digit = bytes[++at]! - 48
    }
    if (at === first || at - first > 4) return UNSURE
    power += sign === 0x2d ? -exponent : exponent
  }
  return finish({ high, low, digits, power, isNegative }) ? at : UNSURE
}

/** @returns whether the number is certain */
function finish(scanned: { high: number; low: number; digits: number; power: number; isNegative: boolean }): boolean {
  const { high, low, digits, power, isNegative } = scanned
  if (power < -POWER_MAX || power > POWER_MAX || digits > DIGITS_MAX) return false
  let value: number
  if (digits <= EXACT_DIGITS) value = power < 0 ? high / POWERS[-power]! : high * POWERS[power]!
  else {
    if (power > 0) return false
    value = quotient(high, low, digits - EXACT_DIGITS, -power)
    if (value < 0) return false
  }
  result[0] = isNegative ? -value : value
  return true
}

const SPLITTER = 134_217_729 // 2^27 + 1

/**
 * (high · 10^shift + low) / 10^power, rounded once.
 *
 * @returns -1 where the rounding is not certain
 * @see Dekker 1971, "A floating-point technique for extending the available precision" (two-product, division)
 */
function quotient(high: number, low: number, shift: number, power: number): number {
  const scale = POWERS[shift]!
  const product = high * scale
  const sum = product + low
  const carried = low - (sum - product) // exact: low is the smaller one
  const rest = carried + productError(high, scale, product)
  const top = sum + rest
  const bottom = rest - (top - sum)
  const divisor = POWERS[power]!
  const first = top / divisor
  const back = first * divisor
  const remainder = top - back - productError(first, divisor, back)
  const second = (remainder + bottom) / divisor
  const value = first + second
  const error = second - (value - first)
  return value + error * 1.000_000_000_1 === value ? value : -1
}

/** What the rounded product of two doubles leaves out, exactly. */
function productError(a: number, b: number, product: number): number {
  const aWide = SPLITTER * a
  const aHigh = aWide - (aWide - a)
  const aLow = a - aHigh
  const bWide = SPLITTER * b
  const bHigh = bWide - (bWide - b)
  const bLow = b - bHigh
  return aLow * bLow - (product - aHigh * bHigh - aLow * bHigh - aHigh * bLow)
}
