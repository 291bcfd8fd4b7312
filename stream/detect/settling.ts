/**
 * When a level that is drift has become the usual one: nothing of it ever enters a baseline or reference, so without a
 * person's word it would be drift for good. A level has settled when for a whole window it has moved by less than half of
 * what lies between it and the usual one. That is told once, and a person may have the feature begin anew.
 */

/** What is kept of a feature while a vote over it is drift: plain JSON. */
export interface Settling {
  /** Levels of its latest slides that had one, the oldest first; a window of them at most. */
  readonly levels: number[]
  /** Whether it was told. */
  isTold: boolean
}

/** How far a settled level may move within a window, as a share of its distance from the usual one. */
const MOVED_SHARE_MAX = 0.5

export function beginSettling(): Settling {
  return { levels: [], isTold: false }
}

/**
 * Takes the level of another slide; `settling` is changed in place.
 *
 * @param at.level null where the slide has none
 * @param at.usual level of the baseline, on the same scale
 * @param at.windowSlides slides of a window
 * @returns whether it is news that the level has settled
 */
export function follow(
  settling: Settling,
  at: { level: number | null; usual: number | null; windowSlides: number },
): boolean {
  if (at.level === null) return false
  const { levels } = settling
  levels.push(at.level)
  if (levels.length > at.windowSlides) levels.shift()
  if (settling.isTold || at.usual === null || levels.length < at.windowSlides) return false
  const [least, most] = [Math.min(...levels), Math.max(...levels)]
  const distance = Math.abs(levels.reduce((sum, level) => sum + level, 0) / levels.length - at.usual)
  settling.isTold = distance > 0 && most - least <= MOVED_SHARE_MAX * distance
  return settling.isTold
}
