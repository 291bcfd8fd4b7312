/**
 * Tail probabilities from which detectors take their p-values: relative accuracy 1e-9 or better against scipy 1.17.1,
 * down to 1e-200 (`test/conformance/special-functions.test.ts`).
 *
 * The leading factors x^a·y^b/B(a, b) and x^a·e^-x/Γ(a) are computed by Loader's saddle-point form: differences of
 * log-gammas would lose nine digits at a million rows.
 *
 * @see Loader 2000, "Fast and accurate computation of binomial probabilities"; DLMF 8.9.2 and 8.17.22
 */

const LOG_TWO_PI = Math.log(2 * Math.PI)
/** Lentz's method stands in for a zero denominator by this. */
const TINY = 1e-300
const EPSILON = 2 ** -53
/** Fractions converge in about sqrt(max(a, b)) steps: enough for a trillion rows. */
const MAX_TERMS = 1_000_000

/** ln Γ(x + 1) less its leading Stirling terms, (x + ½) ln x - x + ½ ln 2π. Absolute error below 1e-14 for x > 0. */
export function stirlingError(x: number): number {
  if (x < 16) {
    const shift = Math.ceil(16 - x)
    let product = 1
    for (let k = 1; k <= shift; k++) product *= x + k
    const z = x + shift
    return stirlingError(z) + (z + 0.5) * Math.log(z) - shift - Math.log(product) - (x + 0.5) * Math.log(x)
  }
  const r = 1 / (x * x)
  return (1 / 12 - (1 / 360 - (1 / 1260 - (1 / 1680 - (1 / 1188 - (691 / 360360) * r) * r) * r) * r) * r) / x
}

/** x ln(x / mean) + mean - x for x > 0, without cancellation where x is near the mean. */
function devianceTerm(x: number, mean: number): number {
  if (Math.abs(x - mean) >= 0.1 * (x + mean)) return x * Math.log(x / mean) + mean - x
  const v = (x - mean) / (x + mean)
  let sum = (x - mean) * v
  let power = 2 * x * v
  for (let j = 3; ; j += 2) {
    power *= v * v
    const next = sum + power / j
    if (next === sum) return sum
    sum = next
  }
}

/**
 * Γ(n + 1) / (Γ(x + 1) Γ(n - x + 1)) · p^x · q^(n - x), also for x and n that are not integers.
 *
 * @param arg.x  0 < x < n
 * @param arg.q  1 - p, given apart so that a p near 1 keeps its digits
 */
export function binomialTerm({ x, n, p, q }: { x: number; n: number; p: number; q: number }): number {
  const rest = n - x
  const logShape = stirlingError(n) - stirlingError(x) - stirlingError(rest)
  const logTerm = logShape - devianceTerm(x, n * p) - devianceTerm(rest, n * q)
  return Math.exp(logTerm - 0.5 * (LOG_TWO_PI + Math.log(x) + Math.log(rest / n)))
}

/** x^a · e^-x / Γ(a + 1) for a > 0 and x > 0. */
function poissonTerm(a: number, x: number): number {
  return Math.exp(-stirlingError(a) - devianceTerm(a, x) - 0.5 * (LOG_TWO_PI + Math.log(a)))
}

function notZero(value: number): number {
  return Math.abs(value) < TINY ? TINY : value
}

/** The continued fraction of the incomplete beta function (DLMF 8.17.22), by Lentz's method. */
function betaFraction(a: number, b: number, x: number): number {
  let c = 1
  let d = 1 / notZero(1 - ((a + b) * x) / (a + 1))
  let fraction = d
  for (let m = 1; m <= MAX_TERMS; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m))
    d = 1 / notZero(1 + even * d)
    c = notZero(1 + even / c)
    fraction *= d * c
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1))
    d = 1 / notZero(1 + odd * d)
    c = notZero(1 + odd / c)
    fraction *= d * c
    if (Math.abs(d * c - 1) <= 4 * EPSILON) break
  }
  return fraction
}

/**
 * Regularised incomplete beta function I_x(a, b): the lower tail of Beta(a, b) at x.
 *
 * @param arg.a  shape > 0
 * @param arg.b  shape > 0
 * @param arg.x  in [0, 1]
 * @param arg.y  1 - x, given apart so that an x near 1 keeps its digits
 * @returns a probability; full relative accuracy where it is small. O(sqrt(max(a, b))) time.
 * @example regularizedBeta({ a: 2, b: 3, x: 0.25, y: 0.75 }) = 0.26171875
 */
export function regularizedBeta({ a, b, x, y }: { a: number; b: number; x: number; y: number }): number {
  if (!(x > 0)) return 0
  if (!(y > 0)) return 1
  const front = ((a * b) / (a + b)) * binomialTerm({ x: a, n: a + b, p: x, q: y })
  if (x < (a + 1) / (a + b + 2)) return Math.min(1, (front * betaFraction(a, b, x)) / a)
  return Math.min(1, Math.max(0, 1 - (front * betaFraction(b, a, y)) / b))
}

/**
 * Upper regularised incomplete gamma function Q(a, x): the upper tail of Gamma(a, 1) at x.
 *
 * @param a  shape > 0
 * @param x  >= 0
 * @returns a probability; full relative accuracy where it is small. O(sqrt(a)) time.
 * @example regularizedGammaUpper(4.5, 10.5) = 0.01265042…: the chi-square tail of 21 with 9 degrees of freedom
 */
export function regularizedGammaUpper(a: number, x: number): number {
  if (!(x > 0)) return 1
  if (x === Number.POSITIVE_INFINITY) return 0
  const front = poissonTerm(a, x)
  if (x < a + 1) {
    let term = 1
    let sum = 1
    for (let k = 1; k <= MAX_TERMS && term > sum * EPSILON; k++) {
      term *= x / (a + k)
      sum += term
    }
    return Math.min(1, Math.max(0, 1 - front * sum))
  }
  let b = x + 1 - a
  let c = 1 / TINY
  let d = 1 / notZero(b)
  let fraction = d
  for (let k = 1; k <= MAX_TERMS; k++) {
    const step = -k * (k - a)
    b += 2
    d = 1 / notZero(step * d + b)
    c = notZero(b + step / c)
    fraction *= d * c
    if (Math.abs(d * c - 1) <= 4 * EPSILON) break
  }
  return Math.min(1, front * a * fraction)
}

/** Upper tail of the chi-square distribution at `x` with `degrees` > 0 degrees of freedom. */
export function chiSquareTail(x: number, degrees: number): number {
  return regularizedGammaUpper(degrees / 2, x / 2)
}

/**
 * Upper tail of the standard normal distribution at `z`, of either sign.
 *
 * @example normalTail(3) = 0.00134989…
 */
export function normalTail(z: number): number {
  if (Math.abs(z) > 3) {
    const tail = 0.5 * regularizedGammaUpper(0.5, 0.5 * z * z)
    return z > 0 ? tail : 1 - tail
  }
  // 0.5 - density · (z + z³/3 + z⁵/(3·5) + …): ten times as fast, and loses three digits at most.
  let term = z
  let sum = z
  for (let k = 3; Math.abs(term) > EPSILON * Math.abs(sum); k += 2) {
    term *= (z * z) / k
    sum += term
  }
  return 0.5 - sum * Math.exp(-0.5 * (z * z + LOG_TWO_PI))
}

/**
 * Upper tail of Student's t distribution at `t`, of either sign.
 *
 * @param degrees  degrees of freedom > 0
 * @example studentTail(5, 10) = 0.000268667…
 */
export function studentTail(t: number, degrees: number): number {
  const square = t * t
  const x = degrees / (degrees + square)
  const tail = 0.5 * regularizedBeta({ a: degrees / 2, b: 0.5, x, y: square / (degrees + square) })
  return t >= 0 ? tail : 1 - tail
}

/**
 * Probability of `hits` or more successes in `trials` at the rate p.
 *
 * @param arg.p  rate in [0, 1]; at 0 the tail is 1 for no hits and 0 for any, at 1 it is 1
 * @param arg.q  1 - p
 */
export function binomialTail(arg: { hits: number; trials: number; p: number; q: number }): number {
  if (arg.hits <= 0) return 1
  return regularizedBeta({ a: arg.hits, b: arg.trials - arg.hits + 1, x: arg.p, y: arg.q })
}
