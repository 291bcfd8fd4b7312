/** Requests within a time, by who sends them: a bucket of tokens each. */

export interface RateLimit {
  /** Refilled evenly over a minute (count). */
  readonly perMinute: number
  /** That may come at once (count). */
  readonly burst: number
}

export interface RateLimiter {
  /** Takes `cost` out of the bucket. @returns seconds to wait, or null where there was enough */
  take(who: string, cost?: number): number | null
  readonly size: number
}

/** Buckets remembered at most; beyond it the one that was used longest ago is forgotten, and so is full again. */
export const bucketsMax = 10_000

export function createRateLimiter({ perMinute, burst }: RateLimit, now: () => number): RateLimiter {
  const buckets = new Map<string, { left: number; atMs: number }>()
  const perMs = perMinute / 60_000
  return {
    take(who, cost = 1) {
      const nowMs = now()
      const known = buckets.get(who)
      const elapsedMs = known === undefined ? 0 : Math.max(0, nowMs - known.atMs) // a clock may be set back
      const left = known === undefined ? burst : Math.min(burst, known.left + elapsedMs * perMs)
      buckets.delete(who) // so that the order is that of the last use
      const enough = left >= Math.min(cost, burst)
      buckets.set(who, { left: enough ? left - cost : left, atMs: nowMs })
      if (buckets.size > bucketsMax) buckets.delete(buckets.keys().next().value!)
      return enough ? null : Math.max(1, Math.ceil((cost - left) / perMs / 1000))
    },
    get size() {
      return buckets.size
    },
  }
}
