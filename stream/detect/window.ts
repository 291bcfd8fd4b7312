/**
 * A window is a run of completed slides (12 by default), each merged already. Its sample may be of more of them: whole
 * slides before it, one by one, until so many rows are in it or so many slides, for entities of few rows. What is summed
 * up of the window stays that of its time.
 */
import { kishSize } from './effective-size.ts'
import { addCategorical, addRate, type SlideSummary, sumByFeature, sumNumeric } from './merge.ts'
import type { FeatureType } from './plan.ts'
import { mergeStrata, type Rows } from './sample.ts'
import { columnWithout, type SeasonOffsets } from './season-offsets.ts'

/** How many slides a window is of, and its sample: more than `slides` only until it holds `rowsMin` rows. */
export interface WindowLength {
  readonly slides: number
  readonly slidesMax: number
  readonly rowsMin: number
}

export class Window {
  readonly #length: WindowLength
  readonly #limits: { readonly rowsMax: number; readonly partMax: number }
  /** Of the window's sample. Its begin never moves back: a slide more is rows more, so nothing else has to be kept. */
  #sampled: SlideSummary[] = []
  /** Of the window's time: the last of them. */
  #slides: SlideSummary[] = []

  /** @param limits rows of the window's sample, and of one slide's part in it */
  constructor(length: WindowLength, limits: { rowsMax: number; partMax: number }) {
    this.#length = length
    this.#limits = limits
  }

  push(slide: SlideSummary): void {
    const { slides, slidesMax } = this.#length
    this.#sampled.push(slide)
    if (this.#sampled.length > Math.max(slides, slidesMax)) this.#sampled.shift()
    this.#sampled = this.#sampled.slice(-this.#sampledSlides())
    this.#slides = this.#sampled.slice(-slides)
  }

  #sampledSlides(): number {
    const { slides, rowsMin } = this.#length
    let rows = 0
    for (const [at, { sample }] of this.#sampled.toReversed().entries()) {
      if (at >= slides && rows >= rowsMin) return at
      rows += Math.min(this.#limits.partMax, sample.rows.length)
    }
    return this.#sampled.length
  }

  /** Ends of the slides that are kept. */
  get endsMs(): readonly number[] {
    return this.#sampled.map(({ endMs }) => endMs)
  }

  /** Slides that the window has so far. */
  get slides(): number {
    return this.#slides.length
  }

  /** Start of the sample where it lies before the window's; null where it does not. */
  get longerFromMs(): number | null {
    const [first, second] = this.#sampled
    if (second === undefined || this.#sampled.length <= this.#slides.length) return null
    return first!.endMs - (second.endMs - first!.endMs)
  }

  get latest(): SlideSummary {
    return this.#slides.at(-1)!
  }

  /** Slides that a feature's rows are of, as Kish counts: slides that hold a few of them count little. */
  filledSlides(feature: string, type: FeatureType): number {
    const counts = this.#sampled.map((slide) => Math.min(this.#limits.partMax, countIn(slide, feature, type)))
    return kishSize(counts)
  }

  /** A sample of the window's rows, in which no slide has more than its part. */
  rows(): Rows {
    return mergeStrata(
      this.#sampled.map(({ sample }) => sample),
      this.#limits,
    )
  }

  /** Numbers of a feature in those rows, without what is usual at their hours. */
  columnWithout(season: SeasonOffsets, feature: string): Float64Array {
    return columnWithout(season, feature, { slides: this.#sampled, limits: this.#limits })
  }

  /** All slides together, merged in order of time. O(slides · (features + buckets)). */
  sums(): Pick<SlideSummary, 'count' | 'numeric' | 'categorical' | 'rates'> {
    return {
      count: this.#slides.reduce((sum, { count }) => sum + count, 0),
      numeric: sumNumeric(this.#slides.flatMap(({ numeric }) => numeric)),
      categorical: sumByFeature(
        this.#slides.flatMap(({ categorical }) => categorical),
        addCategorical,
      ),
      rates: sumByFeature(
        this.#slides.flatMap(({ rates }) => rates),
        addRate,
      ),
    }
  }
}

function countIn({ numeric, categorical, sample }: SlideSummary, feature: string, type: FeatureType): number {
  if (type === 'numeric') return numeric.find((each) => each.feature === feature)?.count ?? 0
  if (type === 'categorical') return categorical.find((each) => each.feature === feature)?.count ?? 0
  return sample.rows.length
}
