/**
 * Histograms on a log scale, in integers: parts merge exactly, in any order.
 *
 * A bucket is what the 17 bits below the sign of a double say: its 11 exponent bits and the top 6 bits of its mantissa,
 * so 64 buckets an octave. A bucket is 1/64 of its octave's lower end wide, hence its midpoint is within 1/128 (0.78 %)
 * of every value in it. No logarithm decides a bucket: bits are the same on every machine, the last digit of a
 * logarithm need not be. What is smaller than 2^-1022 (subnormal) counts as zero.
 *
 * A pane too large for a message may hold coarser buckets: the middle one of 2, 4, … neighbours stands for them all.
 */
import type { LogHistogram } from './pane.ts'

const bits = new DataView(new ArrayBuffer(8))
/** Buckets below this hold subnormal numbers. */
const LOWEST_BUCKET = 64

/** Bucket of a finite number's magnitude, 0 for zero (and subnormals), else 64 … 131,007. */
export function bucketOf(value: number): number {
  bits.setFloat64(0, value)
  const bucket = (bits.getUint32(0) & 0x7fffffff) >>> 14
  return bucket < LOWEST_BUCKET ? 0 : bucket
}

/** Lower end of a bucket: the double with exactly its bits. `bucketFloor(bucket + 1)` is the upper end, not included. */
export function bucketFloor(bucket: number): number {
  bits.setUint32(0, bucket << 14)
  bits.setUint32(4, 0)
  return bits.getFloat64(0)
}

/** Midpoint of a bucket: exact, for it is the double in its middle. @example bucketMidpoint(bucketOf(100)) === 100.5 */
export function bucketMidpoint(bucket: number): number {
  bits.setUint32(0, (bucket << 14) | (1 << 13))
  bits.setUint32(4, 0)
  return bits.getFloat64(0)
}

export const emptyHistogram: LogHistogram = { zero: 0, positive: [], negative: [] }

/** Numbers counted. */
export function histogramCount(histogram: LogHistogram): number {
  let count = histogram.zero
  for (const [, inBucket] of histogram.positive) count += inBucket
  for (const [, inBucket] of histogram.negative) count += inBucket
  return count
}

type Buckets = LogHistogram['positive']

function mergeBuckets(a: Buckets, b: Buckets): Buckets {
  const merged: Buckets = []
  let i = 0
  let j = 0
  while (i < a.length && j < b.length) {
    const left = a[i]!
    const right = b[j]!
    if (left[0] === right[0]) {
      merged.push([left[0], left[1] + right[1]])
      i++
      j++
    } else if (left[0] < right[0]) {
      merged.push(left)
      i++
    } else {
      merged.push(right)
      j++
    }
  }
  while (i < a.length) merged.push(a[i++]!)
  while (j < b.length) merged.push(b[j++]!)
  return merged
}

/** The histogram of both parts' numbers: exact, associative, commutative. O(buckets); shares unchanged pairs. */
export function mergeHistograms(a: LogHistogram, b: LogHistogram): LogHistogram {
  return {
    zero: a.zero + b.zero,
    positive: mergeBuckets(a.positive, b.positive),
    negative: mergeBuckets(a.negative, b.negative),
  }
}

/**
 * Quantile by nearest rank: the midpoint of the bucket that holds the ⌈q·n⌉-th smallest number (the first for q = 0).
 * Nothing is interpolated between buckets; the answer is within 0.79 % of that number, and may lie as far outside of
 * the least and greatest one.
 *
 * @param q within [0, 1]
 * @returns null for an empty histogram
 * @example of 1 … 1000, q 0.95: 948 (the number is 950)
 */
export function quantile(histogram: LogHistogram, q: number): number | null {
  const count = histogramCount(histogram)
  if (count === 0) return null
  let left = Math.max(1, Math.ceil(q * count))
  const { negative, positive } = histogram
  for (let index = negative.length - 1; index >= 0; index--) {
    const [bucket, inBucket] = negative[index]!
    left -= inBucket
    if (left <= 0) return -bucketMidpoint(bucket)
  }
  left -= histogram.zero
  if (left <= 0) return 0
  for (const [bucket, inBucket] of positive) {
    left -= inBucket
    if (left <= 0) return bucketMidpoint(bucket)
  }
  const last = positive.at(-1)
  return last === undefined ? 0 : bucketMidpoint(last[0])
}

/**
 * Mean and sum of squared deviations of ln(value) over the positive numbers, each taken as its bucket's midpoint: the
 * mean is off by at most 0.0078. Math.log is allowed here because it decides no bucket: it is a function of an integer
 * histogram, computed after all merging, and the same on one Node major and architecture.
 */
export function logMoments(histogram: LogHistogram): { count: number; mean: number; m2: number } {
  let count = 0
  let mean = 0
  let m2 = 0
  for (const [bucket, inBucket] of histogram.positive) {
    const delta = Math.log(bucketMidpoint(bucket)) - mean
    const total = count + inBucket
    mean += (delta * inBucket) / total
    m2 += (delta * delta * count * inBucket) / total
    count = total
  }
  return { count, mean, m2 }
}
