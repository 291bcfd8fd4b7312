/**
 * How good a model is in a range of time, from the counts of its slots: what labels tell, and until they come what calibrated
 * confidences estimate. Pure: readers (API, metrics) compute it, so that counts of all tasks are in before anything is divided.
 */
import { type CategoryRank, categoryRank, compareRanks } from './contract/categories.ts'
import { compareCodeUnits } from './contract/encoding.ts'
import { CLASSES_MAX, CONFIDENCE_UNITS, type ConfidenceBin, type QualitySlot } from './contract/quality.ts'

/** Labelled rows with a confidence that a reference has at least. */
const REFERENCE_ROWS_MIN = 500
/** Labelled reference rows of a bin that is estimated by; and the share of predictions that lie in such bins. */
const BIN_ROWS_MIN = 30
const COVERED_MIN = 0.95
/** Normal quantile of a two-sided interval of 95 %, and of the check of the calibration (99.7 %). */
const Z_INTERVAL = 1.96
const Z_CHECK = 3
/** Labelled predictions from which on an estimate's error is told. */
const ERROR_ROWS_MIN = 100

export interface ClassRecall {
  /** null: all classes beyond those that are counted by name. */
  readonly class: string | null
  /** Labelled predictions of which it is the truth. */
  readonly truths: number
  readonly recall: number
}

/** What labels tell. Ratios are null while there is nothing to divide by. */
export interface LabelledQuality {
  readonly predictions: number
  readonly labelled: number
  readonly correct: number
  readonly unlabelled: number
  /** Share of the predictions that have labels by now. */
  readonly maturity: number | null
  /** Weighted by maturity, like what follows. */
  readonly accuracy: number | null
  readonly recall: ClassRecall[]
  /** Expected calibration error, over labelled predictions with a confidence. */
  readonly calibrationError: number | null
}

export interface AccuracyEstimate {
  readonly accuracy: number
  /** 95 %: sampling of these predictions, of the reference, and how far the calibration was off when checked. */
  readonly low: number
  readonly high: number
  readonly predictions: number
  readonly referenceRows: number
  /** Estimate less accuracy; null until enough labels are there. */
  readonly error: number | null
  /** Said wherever it is shown. */
  readonly caveat: string
}

export const ESTIMATE_CAVEAT =
  'From confidences alone: it sees that inputs drift to where the model is less sure, and is blind to concept drift, a truth that changed for equal inputs. Labels alone show that.'

export type EstimateResult = { readonly estimate: AccuracyEstimate } | { readonly notShown: string }

/** Counts of the same slot from two tasks: associative, commutative, exact. */
export function mergeSlots(a: QualitySlot, b: QualitySlot): QualitySlot {
  const bins = new Map<number, ConfidenceBin>()
  for (const bin of [...a.bins, ...b.bins]) {
    const known = bins.get(bin.bin)
    bins.set(bin.bin, known === undefined ? bin : addBins(known, bin))
  }
  return {
    startMs: a.startMs,
    endMs: a.endMs,
    predictions: a.predictions + b.predictions,
    labelled: a.labelled + b.labelled,
    correct: a.correct + b.correct,
    unlabelled: a.unlabelled + b.unlabelled,
    bins: [...bins.values()].sort((one, other) => one.bin - other.bin),
    ...mergeClasses(a, b),
  }
}

function addBins(a: ConfidenceBin, b: ConfidenceBin): ConfidenceBin {
  return {
    bin: a.bin,
    count: a.count + b.count,
    labelled: a.labelled + b.labelled,
    labelledSum: a.labelledSum + b.labelledSum,
    correct: a.correct + b.correct,
  }
}

/** A part that left classes out knows all up to the highest rank that it kept: beyond it nothing is known exactly. */
function mergeClasses(a: QualitySlot, b: QualitySlot): Pick<QualitySlot, 'classes' | 'other'> {
  const totals = new Map<string, [number, number]>()
  const other: [number, number] = [a.other[0] + b.other[0], a.other[1] + b.other[1]]
  let bound: CategoryRank | null = null
  for (const part of [a, b]) {
    let highest: CategoryRank = { hash: -1, name: '' }
    for (const [name, truths, hits] of part.classes) {
      const known = totals.get(name) ?? [0, 0]
      totals.set(name, [known[0] + truths, known[1] + hits])
      const rank = categoryRank(name)
      if (compareRanks(rank, highest) > 0) highest = rank
    }
    if (part.other[0] > 0 && (bound === null || compareRanks(highest, bound) < 0)) bound = highest
  }
  const kept: [string, number, number][] = []
  for (const rank of [...totals.keys()].map(categoryRank).sort(compareRanks)) {
    const [truths, hits] = totals.get(rank.name)!
    if (kept.length < CLASSES_MAX && (bound === null || compareRanks(rank, bound) <= 0)) {
      kept.push([rank.name, truths, hits])
    } else {
      other[0] += truths
      other[1] += hits
    }
  }
  return { classes: kept.sort(([x], [y]) => compareCodeUnits(x, y)), other }
}

/**
 * What the labels of a range tell, each slot weighted by its maturity m = labelled / predictions:
 *
 *     accuracy = Σ m·correct / Σ m·labelled          recall of c = Σ m·hits(c) / Σ m·truths(c)
 *     calibration error = Σ_b L_b/L · |correct_b − confidence_b|, L_b = Σ m·labelled in bin b
 *
 * Labels that come first are no fair sample of all (a fraud is noticed before a payment counts as good): a slot of which
 * little is labelled says little, one that is labelled whole counts in full. With all labels there, m = 1 everywhere, and
 * these are the plain ratios. O(slots × bins).
 *
 * @param slots merged over the tasks, each of one span of time
 * @see Chapelle 2014, KDD, "Modeling delayed feedback in display advertising" (early labels are biased); Naeini, Cooper,
 *   Hauskrecht 2015, AAAI (expected calibration error over equal bins); scikit-learn 1.9.1 `accuracy_score`, `recall_score`
 */
export function labelledQuality(slots: readonly QualitySlot[]): LabelledQuality {
  const sum = { predictions: 0, labelled: 0, correct: 0, unlabelled: 0 }
  let weight = 0
  let right = 0
  const classes = new Map<string | null, [truths: number, weighted: number, hits: number]>()
  const bins = new Map<number, [labelled: number, confidence: number, correct: number]>()
  for (const slot of slots) {
    for (const name of Object.keys(sum) as (keyof typeof sum)[]) sum[name] += slot[name]
    const maturity = slot.predictions === 0 ? 0 : slot.labelled / slot.predictions
    weight += maturity * slot.labelled
    right += maturity * slot.correct
    for (const [name, truths, hits] of [...slot.classes, [null, ...slot.other] as const]) {
      const known = classes.get(name) ?? [0, 0, 0]
      classes.set(name, [known[0] + truths, known[1] + maturity * truths, known[2] + maturity * hits])
    }
    for (const { bin, labelled, labelledSum, correct } of slot.bins) {
      const known = bins.get(bin) ?? [0, 0, 0]
      const confidence = labelledSum / CONFIDENCE_UNITS
      bins.set(bin, [known[0] + maturity * labelled, known[1] + maturity * confidence, known[2] + maturity * correct])
    }
  }
  return {
    ...sum,
    maturity: sum.predictions === 0 ? null : sum.labelled / sum.predictions,
    accuracy: weight === 0 ? null : right / weight,
    recall: [...classes]
      .filter(([, [truths]]) => truths > 0)
      .sort(([a], [b]) => (a === null ? 1 : b === null ? -1 : compareCodeUnits(a, b)))
      .map(([name, [truths, weighted, hits]]) => ({ class: name, truths, recall: hits / weighted })),
    calibrationError: calibrationError([...bins.values()]),
  }
}

function calibrationError(bins: readonly (readonly [number, number, number])[]): number | null {
  let labelled = 0
  let off = 0
  for (const [count, confidence, correct] of bins) {
    labelled += count
    off += Math.abs(correct - confidence)
  }
  return labelled === 0 ? null : off / labelled
}

/**
 * Accuracy without labels: the mean calibrated confidence of the predictions (confidence-based performance estimation).
 * A confidence is calibrated by its bin: what share of the reference's labelled rows of the bin was right, (correct + ½) /
 * (labelled + 1).
 *
 * It is not shown before the calibration was checked: the later half of the reference's labelled rows is estimated from the
 * earlier half, and has to come out within three standard errors. What it is off by then widens the interval:
 *
 *     ± 1.96 · √( Σ n_b·a_b(1−a_b)/N² + Σ (n_b/N)²·a_b(1−a_b)/l_b + off² )
 *
 * @param reference slots before those judged, in the order of time; @param slots those judged
 * @see Zadrozny, Elkan 2001, ICML (histogram binning); NannyML's CBPE is the same idea on calibrated probabilities
 */
export function estimateAccuracy(reference: readonly QualitySlot[], slots: readonly QualitySlot[]): EstimateResult {
  const rows = sumBins(reference)
  const referenceRows = total(rows, ({ labelled }) => labelled)
  if (referenceRows < REFERENCE_ROWS_MIN) {
    return {
      notShown: `${referenceRows} labelled rows with a confidence lie before it; ${REFERENCE_ROWS_MIN} are needed`,
    }
  }
  const check = checkCalibration(reference, referenceRows)
  if ('notShown' in check) return check
  const judged = sumBins(slots)
  const predictions = total(judged, ({ count }) => count)
  const all = slots.reduce((sum, slot) => sum + slot.predictions, 0)
  if (predictions === 0 || predictions < COVERED_MIN * all) {
    return { notShown: `${predictions} of ${all} predictions have a score between 0 and 1` }
  }
  const found = estimated(rows, judged, ({ count }) => count)
  if (found.covered < COVERED_MIN) {
    const share = Math.round(100 * found.covered)
    return {
      notShown: `${share} % of the predictions have confidences that the reference has ${BIN_ROWS_MIN} labelled rows of`,
    }
  }
  const half = Z_INTERVAL * Math.sqrt(found.variance + check.off ** 2)
  const { accuracy, labelled } = labelledQuality(slots)
  return {
    estimate: {
      accuracy: found.accuracy,
      low: Math.max(0, found.accuracy - half),
      high: Math.min(1, found.accuracy + half),
      predictions,
      referenceRows,
      error: accuracy === null || labelled < ERROR_ROWS_MIN ? null : found.accuracy - accuracy,
      caveat: ESTIMATE_CAVEAT,
    },
  }
}

/** Estimates the later half of the reference from the earlier one. @returns how far it was off beyond chance, squared root */
function checkCalibration(
  reference: readonly QualitySlot[],
  referenceRows: number,
): { readonly off: number } | { readonly notShown: string } {
  let seen = 0
  const earlier: QualitySlot[] = []
  const later: QualitySlot[] = []
  for (const slot of reference) {
    if (seen < referenceRows / 2) earlier.push(slot)
    else later.push(slot)
    seen += total(slot.bins, ({ labelled }) => labelled)
  }
  const judged = sumBins(later)
  const rows = total(judged, ({ labelled }) => labelled)
  if (rows < REFERENCE_ROWS_MIN / 5) {
    return { notShown: 'the labelled rows before it lie in one slot: the calibration cannot be checked on later ones' }
  }
  const found = estimated(sumBins(earlier), judged, ({ labelled }) => labelled)
  const accuracy = total(judged, ({ correct }) => correct) / rows
  const off = Math.abs(found.accuracy - accuracy)
  const error = Math.sqrt(found.variance)
  if (off > Z_CHECK * error) {
    const text = (value: number) => value.toFixed(3)
    return {
      notShown: `the calibration did not hold on the later half of the labelled rows: estimated ${text(found.accuracy)}, true ${text(accuracy)}`,
    }
  }
  // what chance explains is in the variance already
  return { off: Math.sqrt(Math.max(0, off ** 2 - found.variance)) }
}

/** Mean calibrated confidence, its variance, and the share of rows that lie in bins with enough reference rows. */
function estimated(
  reference: readonly ConfidenceBin[],
  judged: readonly ConfidenceBin[],
  countOf: (bin: ConfidenceBin) => number,
): { accuracy: number; variance: number; covered: number } {
  const known = new Map(reference.map((bin) => [bin.bin, bin]))
  const count = total(judged, countOf)
  let covered = 0
  let sum = 0
  let sampling = 0
  let calibration = 0
  for (const bin of judged) {
    const of = known.get(bin.bin)
    const rows = countOf(bin)
    if (of === undefined || of.labelled < BIN_ROWS_MIN) continue
    const right = (of.correct + 0.5) / (of.labelled + 1)
    const spread = right * (1 - right)
    covered += rows
    sum += rows * right
    sampling += rows * spread
    calibration += (rows * rows * spread) / of.labelled
  }
  if (covered === 0) return { accuracy: 0, variance: 0, covered: 0 }
  return { accuracy: sum / covered, variance: (sampling + calibration) / covered ** 2, covered: covered / count }
}

function sumBins(slots: readonly QualitySlot[]): ConfidenceBin[] {
  const sums = new Map<number, ConfidenceBin>()
  for (const { bins } of slots) {
    for (const bin of bins) {
      const known = sums.get(bin.bin)
      sums.set(bin.bin, known === undefined ? bin : addBins(known, bin))
    }
  }
  return [...sums.values()].sort((a, b) => a.bin - b.bin)
}

function total(bins: readonly ConfidenceBin[], of: (bin: ConfidenceBin) => number): number {
  return bins.reduce((sum, bin) => sum + of(bin), 0)
}

/** Slots of one model, version and segment of one source, merged over the tasks, in the order of time. */
export interface SeriesSlots {
  readonly tenant: string
  readonly entity: string
  readonly source: string
  readonly model: string
  readonly version: string
  readonly segment: string | null
  readonly slots: readonly QualitySlot[]
}

/** What is answered of a model. */
export interface ModelQualityAnswer extends Omit<SeriesSlots, 'slots'> {
  readonly labels: LabelledQuality
  readonly estimate: AccuracyEstimate | null
  /** Why there is no estimate; null where there is one. */
  readonly notEstimated: string | null
}

/** How far before a range the labelled rows lie that its estimate is calibrated by, at most. */
export const REFERENCE_MS = 7 * 86_400_000

/** @param fromMs slots that end by then are the reference, the others are judged; a series without any of these is left out */
export function qualityOf(series: readonly SeriesSlots[], fromMs: number): ModelQualityAnswer[] {
  return series.flatMap(({ slots, ...name }): ModelQualityAnswer[] => {
    const judged = slots.filter(({ endMs }) => endMs > fromMs)
    if (judged.length === 0) return []
    const found = estimateAccuracy(
      slots.filter(({ endMs }) => endMs <= fromMs),
      judged,
    )
    const labels = labelledQuality(judged)
    if ('estimate' in found) return [{ ...name, labels, estimate: found.estimate, notEstimated: null }]
    return [{ ...name, labels, estimate: null, notEstimated: found.notShown }]
  })
}

/** One slot as one task counted it. */
export interface TaskSlot extends Omit<SeriesSlots, 'slots'> {
  readonly slot: QualitySlot
}

/** Series from the slots of all tasks, which come by (tenant, entity, source, start). */
export function seriesOf(rows: Iterable<TaskSlot>): SeriesSlots[] {
  const found: (Omit<SeriesSlots, 'slots'> & { slots: QualitySlot[] })[] = []
  const places = new Map<string, (typeof found)[number]>()
  for (const { slot, ...name } of rows) {
    const key = JSON.stringify([name.tenant, name.entity, name.source, name.model, name.version, name.segment])
    let series = places.get(key)
    if (series === undefined) {
      series = { ...name, slots: [] }
      places.set(key, series)
      found.push(series)
    }
    const last = series.slots.at(-1)
    if (last?.startMs === slot.startMs) series.slots[series.slots.length - 1] = mergeSlots(last, slot)
    else series.slots.push(slot)
  }
  return found
}
