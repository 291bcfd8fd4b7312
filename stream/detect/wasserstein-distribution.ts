/**
 * Wasserstein-1 of two samples on the line, and its law when both are of one law.
 *
 * sqrt(n·m/(n+m)) times the distance of two samples of a law F tends to the integral of |B(F(x))| dx over a Brownian
 * bridge B. Its tail is that of its largest direction: write B(F(x)) = Z·ψ(x) + R(x), where Z is the standardised integral
 * of B(F(x)) dx, of sd s, and R does not depend on it. Given Z = z the integral of |zψ + R| has the mean
 * s·z + Δ(z), Δ(z) = 2 · integral of E[max(0, -zψ(x) - R(x))] dx, and the tail at x is 2·(1 - Φ(z)) with s·z + Δ(z) = x:
 * first-order, from the middle of the law to its end, where Δ vanishes and what remains is exact.
 *
 * @see del Barrio, Giné and Matrán 1999, Ann. Probab. 27:1009-1071, for the limit; Rice 1982 and Johnson and Killeen
 *   1983, J. Am. Stat. Assoc. 78:432-436, for the uniform law: P(> 0.7518) = 0.01, here 0.0096
 */
import { normalTail } from './special-functions.ts'

/** Distribution functions are taken as constant on so many cells of equal pooled share. */
const CELLS = 50
/** What does not move with the integral is none below this: rounding (B itself has an sd of at most 0.5). */
const SD_MIN = 1e-9
const NEWTON_STEPS_MAX = 60
/** So many sds up the normal tail a cell adds nothing to 16 digits. */
const Q_MAX = 9
const INVERSE_ROOT_TWO_PI = 1 / Math.sqrt(2 * Math.PI)

export interface Transport {
  /** Integral of |F - G| over the whole line. */
  readonly distance: number
  /** The same between the pooled sample's 2 % and 98 % quantiles: what the tail is taken of. */
  readonly central: number
  /** By cell of pooled share, without the first and the last: how long it is, in the unit of the values. */
  readonly widths: Float64Array
  /** Mean of the pooled distribution function over the cell. */
  readonly shares: Float64Array
}

/** Compares two ascending samples in one pass. O(n + m). */
export function transport(reference: ArrayLike<number>, window: ArrayLike<number>): Transport {
  const n = reference.length
  const m = window.length
  const widths = new Float64Array(CELLS)
  const shares = new Float64Array(CELLS)
  const perRow = CELLS / (n + m)
  let distance = 0
  let central = 0
  let i = 0
  let j = 0
  let value = Math.min(reference[0]!, window[0]!)
  for (;;) {
    while (i < n && reference[i]! <= value) i++
    while (j < m && window[j]! <= value) j++
    if (i === n && j === m) break
    const next = i === n ? window[j]! : j === m ? reference[i]! : Math.min(reference[i]!, window[j]!)
    const gap = next - value
    const area = Math.abs(i * m - j * n) * gap
    const cell = Math.floor((i + j) * perRow)
    distance += area
    widths[cell]! += gap
    shares[cell]! += (i + j) * gap
    if (cell > 0 && cell < CELLS - 1) central += area
    value = next
  }
  widths[0] = 0
  widths[CELLS - 1] = 0
  for (let cell = 0; cell < CELLS; cell++)
    shares[cell] = widths[cell]! > 0 ? shares[cell]! / widths[cell]! / (n + m) : 0
  return { distance: distance / (n * m), central: central / (n * m), widths, shares }
}

/** What decides the tail of the integral of |B(F)|, in the unit of the values. */
interface BridgeNorm {
  /** Sd of the integral of B(F(x)) dx: of the law itself. */
  readonly sd: number
  /** By cell: how far B moves with the standardised integral, and the sd of what does not. */
  readonly along: Float64Array
  readonly across: Float64Array
}

function bridgeNorm({ widths, shares }: Transport): BridgeNorm {
  const along = new Float64Array(CELLS)
  const across = new Float64Array(CELLS)
  let above = 0
  for (let cell = 0; cell < CELLS; cell++) above += widths[cell]! * (1 - shares[cell]!)
  let below = 0
  let variance = 0
  for (let cell = 0; cell < CELLS; cell++) {
    const share = shares[cell]!
    below += widths[cell]! * share
    above -= widths[cell]! * (1 - share)
    along[cell] = (1 - share) * below + share * Math.max(0, above)
    variance += widths[cell]! * along[cell]!
  }
  const sd = Math.sqrt(variance)
  for (let cell = 0; cell < CELLS; cell++) {
    along[cell]! /= sd
    const share = shares[cell]!
    across[cell] = Math.sqrt(Math.max(0, share * (1 - share) - along[cell]! ** 2))
  }
  return { sd, along, across }
}

/** s·z + Δ(z), and its slope. */
function meanGiven(z: number, norm: BridgeNorm, widths: Float64Array): { mean: number; slope: number } {
  let mean = norm.sd * z
  let slope = norm.sd
  for (let cell = 0; cell < CELLS; cell++) {
    const spread = norm.across[cell]!
    if (widths[cell] === 0 || spread < SD_MIN) continue
    const level = z * norm.along[cell]!
    const q = level / spread
    if (q > Q_MAX) continue
    const tail = normalTail(q)
    mean += 2 * widths[cell]! * (spread * Math.exp(-0.5 * q * q) * INVERSE_ROOT_TWO_PI - level * tail)
    slope -= 2 * widths[cell]! * norm.along[cell]! * tail
  }
  return { mean, slope }
}

/**
 * Chance of so large a central distance of two samples of the pooled law.
 *
 * @param sizes  effective numbers of rows
 * @returns a probability; 1 for distances in the lower half of the law, where the approximation has no solution. Takes a
 *   few Newton steps over the cells, O(1).
 */
export function transportTail(of: Transport, sizes: { reference: number; window: number }): number {
  if (!(of.central > 0)) return 1
  const norm = bridgeNorm(of)
  if (!(norm.sd > 0)) return 1
  const target = of.central / Math.sqrt(1 / sizes.reference + 1 / sizes.window)
  if (meanGiven(0, norm, of.widths).mean >= target) return 1
  // s·z + Δ(z) is convex and increasing and lies above s·z: from the right Newton's steps only fall.
  let z = target / norm.sd
  for (let step = 0; step < NEWTON_STEPS_MAX; step++) {
    const { mean, slope } = meanGiven(z, norm, of.widths)
    const next = z - (mean - target) / slope
    if (!(next < z) || !(next > 0)) break
    const isDone = z - next <= 1e-14 * z
    z = next
    if (isDone) break
  }
  return Math.min(1, 2 * normalTail(z))
}
