/**
 * Edit distance of two strings: insertions, deletions, replacements and swaps of neighbours each cost 1.
 *
 * @returns the distance; O(a.length × b.length) time, three rows of memory
 * @see optimal string alignment, Boytsov 2011, ACM JEA 16, section 2
 */
export function editDistance(a: string, b: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      let cost = Math.min(row[j - 1]! + 1, last[j]! + 1, last[j - 1]! + (same ? 0 : 1))
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        cost = Math.min(cost, beforeLast[j - 2]! + 1)
      row.push(cost)
    }
    beforeLast = last
    last = row
  }
  return last[b.length]!
}

/** Names longer than this are nobody's typing mistake; the distance would be costly. */
const LENGTH_MAX = 64

/**
 * The known name that someone most likely meant, if any is near: at most a third of its letters differ, or two. Case,
 * dashes and underscores do not count.
 *
 * @example nearest('windw', ['window', 'slide']) is 'window'; nearest('colour', ['window']) is undefined
 */
export function nearest(given: string, known: readonly string[]): string | undefined {
  if (given.length > LENGTH_MAX) return undefined
  const plain = (text: string) => text.toLowerCase().replaceAll(/[-_]/g, '')
  let best: string | undefined
  let bestDistance = Number.POSITIVE_INFINITY
  for (const candidate of known) {
    const distance = editDistance(plain(given), plain(candidate))
    const allowed = Math.min(Math.max(2, Math.floor(candidate.length / 3)), candidate.length - 1)
    if (distance <= allowed && distance < bestDistance) {
      best = candidate
      bestDistance = distance
    }
  }
  return best
}
