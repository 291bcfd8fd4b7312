/**
 * Levels of the slides before, as detectors of levels take them. Levels that follow one another are worth less than as many
 * independent ones: their spread is too small for what the next ones will do, and is itself known less well. Both are told
 * by an AR(1) of the baseline's own neighbours.
 */
import type { LevelBaseline } from './detectors/detector.ts'
import { medianDeviation, medianOf } from './median.ts'

/** A level and the end of its slide; in order of time. */
export interface DatedLevel {
  readonly endMs: number
  readonly level: number
}

/** Neighbours that an autocorrelation rests on at least: below it none is told. */
const PAIRS_MIN = 10
/** Levels so many median absolute deviations from the median are left out of it: an outlier says nothing of the rest. */
const OUTLIER_MADS = 5
/** Beyond it the baseline shows next to nothing of what it will do. */
const AUTOCORRELATION_MAX = 0.95

/** @param slideMs distance of neighbours: levels with a gap between them are none */
export function levelBaseline(levels: readonly DatedLevel[], slideMs: number): LevelBaseline {
  const ascending = Float64Array.from(levels, ({ level }) => level).sort()
  return { levels: ascending, autocorrelation: autocorrelationOf(levels, { ascending, slideMs }) }
}

/**
 * First-order autocorrelation of neighbours, corrected for being too small in few values. O(levels).
 *
 * @returns within [0, 0.95]: a negative one makes a spread too large, which does no harm
 * @see Marriott and Pope 1954, Biometrika 41:390-402
 */
function autocorrelationOf(levels: readonly DatedLevel[], by: { ascending: Float64Array; slideMs: number }): number {
  if (levels.length <= PAIRS_MIN) return 0
  const middle = medianOf(by.ascending)
  const bound = OUTLIER_MADS * medianDeviation(by.ascending, middle)
  if (bound === 0) return 0
  const kept = levels.filter(({ level }) => Math.abs(level - middle) <= bound)
  const mean = kept.reduce((sum, { level }) => sum + level, 0) / kept.length
  const variance = kept.reduce((sum, { level }) => sum + (level - mean) ** 2, 0) / kept.length
  let products = 0
  let pairs = 0
  for (let index = 1; index < kept.length; index++) {
    const [before, now] = [kept[index - 1]!, kept[index]!]
    if (now.endMs - before.endMs !== by.slideMs) continue
    products += (now.level - mean) * (before.level - mean)
    pairs += 1
  }
  if (pairs < PAIRS_MIN || variance === 0) return 0
  const shown = products / pairs / variance
  return Math.max(0, Math.min(AUTOCORRELATION_MAX, shown + (1 + 3 * shown) / pairs))
}

/** What an AR(1) makes of a sample of `count` values. */
export interface Precision {
  /** Variance of the sample's mean, in variances of a value: 1/count where they are independent. */
  readonly ofMean: number
  /** What the sample's variance is multiplied by to be that of the series: 1 where they are independent. */
  readonly inflation: number
  /** Independent values that a variance of it is worth. */
  readonly size: number
}

/**
 * O(count).
 *
 * @param autocorrelation within [0, 0.95]
 * @see Bayley and Hammersley 1946, Suppl. J. R. Stat. Soc. 8:184-197
 */
export function precisionOf(count: number, autocorrelation: number): Precision {
  if (autocorrelation === 0) return { ofMean: 1 / count, inflation: 1, size: count }
  let [ofMean, ofVariance, power] = [1, 1, 1]
  for (let lag = 1; lag < count; lag++) {
    power *= autocorrelation
    const weight = 2 * (1 - lag / count)
    ofMean += weight * power
    ofVariance += weight * power * power
  }
  return {
    ofMean: ofMean / count,
    inflation: (1 - 1 / count) / (1 - ofMean / count),
    size: count / ofVariance,
  }
}
