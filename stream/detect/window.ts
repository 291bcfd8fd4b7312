/**
 * A window is a run of completed slides (12 by default), each merged already. Windows by time stand here; windows by a
 * count of rows have their place beside it: another rule for which slides are pushed out.
 */
import { kishSize } from './effective-size.ts'
import { addCategorical, addRate, type SlideSummary, sumByFeature, sumNumeric } from './merge.ts'
import type { FeatureType } from './plan.ts'
import { mergeStrata, type Rows } from './sample.ts'

export class Window {
  readonly #slidesMax: number
  readonly #limits: { readonly rowsMax: number; readonly partMax: number }
  #slides: SlideSummary[] = []

  /** @param limits rows of the window's sample, and of one slide's part in it */
  constructor(slidesMax: number, limits: { rowsMax: number; partMax: number }) {
    this.#slidesMax = slidesMax
    this.#limits = limits
  }

  push(slide: SlideSummary): void {
    this.#slides.push(slide)
    if (this.#slides.length > this.#slidesMax) this.#slides.shift()
  }

  get endsMs(): readonly number[] {
    return this.#slides.map(({ endMs }) => endMs)
  }

  get latest(): SlideSummary {
    return this.#slides.at(-1)!
  }

  /** Slides that a feature's rows are of, as Kish counts: slides that hold a few of them count little. */
  filledSlides(feature: string, type: FeatureType): number {
    const counts = this.#slides.map((slide) => Math.min(this.#limits.partMax, countIn(slide, feature, type)))
    return kishSize(counts)
  }

  /** A sample of the window's rows, in which no slide has more than its part. */
  rows(): Rows {
    return mergeStrata(
      this.#slides.map(({ sample }) => sample),
      this.#limits,
    )
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
