/** Quiet series of panes of five minutes, as pane aggregates, from fixed seeds. Standard deviation 10 about a level of 100. */
import type { Random } from '../../test/detect/random.ts'

export const paneMs = 300_000
const DAY_PANES = 288
const WEEK_PANES = 7 * DAY_PANES
const LEVEL = 100
const SD = 10

/** One pane: the moments of its rows. */
export interface SeriesPane {
  readonly count: number
  readonly mean: number
  readonly m2: number
}

export interface Kind {
  readonly name: string
  readonly about: string
  /** Draws panes in order of time, in standard deviations about 0. */
  panes(random: Random): () => SeriesPane
}

function single(next: () => number): () => SeriesPane {
  return () => ({ count: 1, mean: next(), m2: 0 })
}

function autoregressive(random: Random, phi: number): () => number {
  const step = Math.sqrt(1 - phi * phi)
  let value = random.normal()
  return () => {
    const now = value
    value = phi * value + step * random.normal()
    return now
  }
}

/** Student's t of 3 degrees, at unit variance. */
function heavyTailed(random: Random): number {
  let chiSquare = 0
  for (let degree = 0; degree < 3; degree++) chiSquare += random.normal() ** 2
  return random.normal() / Math.sqrt(chiSquare)
}

/** A daily cycle of amplitude 1 sd, weekends lower by half of one. */
function season(pane: number): number {
  const isWeekend = pane % WEEK_PANES >= 5 * DAY_PANES
  return Math.sin((2 * Math.PI * pane) / DAY_PANES) - (isWeekend ? 0.5 : 0)
}

/** Rows of a pane: between a few and hundreds, over ten days, with a daily cycle. */
function driftingRows(pane: number): number {
  const slow = Math.sin((2 * Math.PI * pane) / (10 * DAY_PANES))
  const daily = Math.sin((2 * Math.PI * pane) / DAY_PANES)
  return Math.max(1, Math.round(40 * Math.exp(1.5 * slow + 0.5 * daily)))
}

export const kinds: readonly Kind[] = [
  { name: 'independent', about: 'normal', panes: (random) => single(() => random.normal()) },
  { name: 'AR(1) .5', about: 'normal', panes: (random) => single(autoregressive(random, 0.5)) },
  { name: 'AR(1) .9', about: 'normal', panes: (random) => single(autoregressive(random, 0.9)) },
  { name: 'heavy tails', about: "Student's t, 3 degrees", panes: (random) => single(() => heavyTailed(random)) },
  {
    name: 'season',
    about: 'a daily cycle of amplitude 1 sd, weekends lower by .5 sd, normal noise of 1 sd',
    panes(random) {
      const start = Math.floor(random.next() * WEEK_PANES)
      let pane = start
      return single(() => season(pane++) + random.normal())
    },
  },
  {
    name: 'drifting volume',
    about: '5 to 300 rows a pane over ten days, rows of 3 sd, means of panes by 1 sd more',
    panes(random) {
      let pane = Math.floor(random.next() * 10 * DAY_PANES)
      return () => {
        const count = driftingRows(pane++)
        const within = 9
        const mean = random.normal() * Math.sqrt(1 + within / count)
        // a sum of squares of so many normal rows, by its own first two moments
        const degrees = count - 1
        const m2 = within * Math.max(0, degrees + Math.sqrt(2 * degrees) * random.normal())
        return { count, mean, m2 }
      }
    },
  },
]

/** A pane in the unit of its metric, shifted by so many standard deviations. */
export function scaled({ count, mean, m2 }: SeriesPane, shiftSd: number): SeriesPane {
  return { count, mean: LEVEL + SD * (mean + shiftSd), m2: SD * SD * m2 }
}
