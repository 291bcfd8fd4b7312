import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { outcomesConfig } from '../stream/contract/configuration.ts'
import type { Outcome } from '../stream/contract/outcome.ts'
import { Parts } from '../stream/contract/parts.ts'
import type { QualitySlot } from '../stream/contract/quality.ts'
import { Pairs } from '../stream/join/pairs.ts'
import { Slots } from '../stream/join/slots.ts'
import { estimateAccuracy, labelledQuality, mergeSlots } from '../stream/model-quality.ts'
import { createRandom } from '../stream/simulate/random.ts'

const slotMs = 3_600_000

interface Row {
  readonly timeMs: number
  readonly predicted: string
  readonly truth: string | null
  readonly confidence: number
}

/** The slots that the join counts of these rows. */
function slotsOf(rows: readonly Row[]): QualitySlot[] {
  const config = outcomesConfig.parse({ horizon: '1000h' })
  const parts = new Parts([])
  const slots = new Slots({ slotMs, seriesMax: 1, parts })
  const pairs = new Pairs({ config, most: 1e9, slots, parts })
  const of = (index: number, row: Row) => ({
    ...{
      type: 'outcome',
      id: '',
      tenant: 't',
      source: 's',
      partition: 0,
      entity: 'model:m@1',
      model: 'm',
      version: '1',
    },
    ...{ segment: null, predictionId: String(index), timeMs: row.timeMs },
  })
  for (const [index, row] of rows.entries()) {
    pairs.apply({ ...of(index, row), kind: 'prediction', class: row.predicted, score: row.confidence } as Outcome)
    if (row.truth !== null) pairs.apply({ ...of(index, row), kind: 'label', class: row.truth, score: null } as Outcome)
  }
  return [...slots.changed()].flatMap((told) => told.slots)
}

describe('what labels tell', () => {
  it('equals scikit-learn where all labels are there, and for the expected calibration error its definition', () => {
    const path = join(import.meta.dirname, 'conformance/vectors/model-quality.json')
    const { cases } = JSON.parse(readFileSync(path, 'utf8')) as {
      cases: {
        rows: [string, string, number][]
        accuracy: number
        recall: [string, number][]
        calibrationError: number
      }[]
    }
    expect(cases.length).toBeGreaterThanOrEqual(4)
    for (const { rows, accuracy, recall, calibrationError } of cases) {
      const slots = slotsOf(rows.map(([predicted, truth, confidence]) => ({ timeMs: 0, predicted, truth, confidence })))
      const found = labelledQuality(slots)
      expect(found.maturity).toBe(1)
      expect(found.accuracy).toBeCloseTo(accuracy, 12)
      expect(found.recall.map((one) => one.class)).toEqual(recall.map(([name]) => name))
      for (const [index, [, value]] of recall.entries()) expect(found.recall[index]!.recall).toBeCloseTo(value, 12)
      expect(found.calibrationError).toBeCloseTo(calibrationError, 9)
    }
  })

  it('weighs a slot by how much of it is labelled', () => {
    // a slot labelled whole, 60 of 100 right; one of which ten early labels of 100 are all wrong
    const whole = Array.from({ length: 100 }, (_, index) => row(0, { isRight: index < 60 }))
    const young = Array.from({ length: 100 }, (_, index) =>
      index < 10 ? row(slotMs, { isRight: false }) : { ...row(slotMs, { isRight: true }), truth: null },
    )
    const { accuracy, labelled, maturity } = labelledQuality(slotsOf([...whole, ...young]))
    expect(labelled).toBe(110)
    expect(maturity).toBeCloseTo(0.55, 12)
    expect(accuracy).toBeCloseTo(60 / (100 + 0.1 * 10), 12)
  })

  it('is nothing without labels', () => {
    const found = labelledQuality(slotsOf([{ ...row(0, { isRight: true }), truth: null }]))
    expect(found).toMatchObject({ predictions: 1, labelled: 0, accuracy: null, recall: [], calibrationError: null })
  })

  it('is the same however the predictions were spread over tasks, also with more classes than are kept', () => {
    const random = createRandom(7, 0)
    const rows = Array.from({ length: 3_000 }, () => {
      const truth = `c-${random.integer(80)}`
      return { timeMs: 0, predicted: `c-${random.integer(80)}`, truth, confidence: random.uniform() }
    })
    const [whole] = slotsOf(rows)
    const parts = [0, 1, 2].map((task) => slotsOf(rows.filter((_, index) => index % 3 === task))[0]!)
    const [a, b, c] = parts as [QualitySlot, QualitySlot, QualitySlot]
    expect(mergeSlots(mergeSlots(a, b), c)).toEqual(whole)
    expect(mergeSlots(a, mergeSlots(c, b))).toEqual(whole)
    expect(whole!.classes).toHaveLength(50)
    expect(whole!.other[0]).toBeGreaterThan(500)
  })
})

function row(timeMs: number, { isRight }: { isRight: boolean }): Row {
  return { timeMs, predicted: 'yes', truth: isRight ? 'yes' : 'no', confidence: 0.6 }
}

/** Calibrated by construction: a prediction is right as often as it says; `flipped` of the labels say the contrary. */
function simulated(seed: number, of: { count: number; fromMs: number; flipped?: number; isShifted?: boolean }): Row[] {
  const random = createRandom(seed, 0)
  return Array.from({ length: of.count }, (_, index) => {
    // confidence from .55 to 1, .78 in the mean; shifted inputs lie where the model is less sure
    const draw = random.uniform()
    const confidence = 0.55 + 0.45 * (of.isShifted === true ? draw ** 3 : draw)
    const isRight = random.uniform() < confidence
    const isFlipped = random.uniform() < (of.flipped ?? 0)
    return {
      timeMs: of.fromMs + Math.floor((index / of.count) * 10 * slotMs),
      predicted: 'yes',
      truth: isRight !== isFlipped ? 'yes' : 'no',
      confidence,
    }
  })
}

describe('the estimate from confidences', () => {
  const reference = slotsOf(simulated(1, { count: 20_000, fromMs: 0 }))
  const laterMs = 20 * slotMs

  const estimateOf = (rows: readonly Row[], from = reference) => {
    const found = estimateAccuracy(from, slotsOf(rows))
    if ('notShown' in found) throw new Error(found.notShown)
    return found.estimate
  }

  it('follows inputs that drift to where the model is less sure, within its interval', () => {
    const rows = simulated(2, { count: 5_000, fromMs: laterMs, isShifted: true })
    const truth = labelledQuality(slotsOf(rows)).accuracy!
    const estimate = estimateOf(rows.map((one) => ({ ...one, truth: null })))
    expect(truth).toBeLessThan(0.7)
    expect(Math.abs(estimate.accuracy - truth)).toBeLessThan(0.02)
    expect(estimate.low).toBeLessThan(truth)
    expect(estimate.high).toBeGreaterThan(truth)
    expect(estimate.error).toBeNull()
  })

  it('is blind to concept drift: of 20 % flipped labels it says nothing, and its error shows once labels are there', () => {
    const rows = simulated(3, { count: 5_000, fromMs: laterMs, flipped: 0.2 })
    const { accuracy: truth } = labelledQuality(slotsOf(rows))
    const estimate = estimateOf(rows)
    expect(estimate.accuracy).toBeCloseTo(0.78, 1)
    expect(truth!).toBeLessThan(0.68)
    expect(estimate.error).toBeCloseTo(estimate.accuracy - truth!, 12)
    expect(estimate.error!).toBeGreaterThan(0.1)
    expect(estimate.caveat).toContain('concept drift')
  })

  it('covers the truth about as often as it says, over 120 runs', () => {
    let covered = 0
    let shown = 0
    for (let seed = 100; seed < 220; seed++) {
      const from = slotsOf(simulated(seed, { count: 1_000, fromMs: 0 }))
      const rows = simulated(seed + 1_000, { count: 500, fromMs: laterMs })
      const found = estimateAccuracy(from, slotsOf(rows))
      if ('notShown' in found) continue
      shown++
      const truth = labelledQuality(slotsOf(rows)).accuracy!
      if (found.estimate.low <= truth && truth <= found.estimate.high) covered++
    }
    expect(shown).toBeGreaterThanOrEqual(115)
    expect(covered).toBeGreaterThanOrEqual(0.9 * shown)
  })

  it('is not shown before its calibration was checked on enough labelled rows', () => {
    const rows = slotsOf(simulated(4, { count: 1_000, fromMs: laterMs }))
    expect(estimateAccuracy([], rows)).toMatchObject({ notShown: expect.stringContaining('500 are needed') })
    const few = slotsOf(simulated(5, { count: 400, fromMs: 0 }))
    expect(estimateAccuracy(few, rows)).toMatchObject({ notShown: expect.stringContaining('500 are needed') })
    // the truth changed within the reference
    const broken = slotsOf([
      ...simulated(6, { count: 2_000, fromMs: 0 }),
      ...simulated(7, { count: 2_000, fromMs: 10 * slotMs, flipped: 0.2 }),
    ])
    expect(estimateAccuracy(broken, rows)).toMatchObject({ notShown: expect.stringContaining('did not hold') })
    const unscored = slotsOf(simulated(8, { count: 1_000, fromMs: laterMs }).map((one) => ({ ...one, confidence: 7 })))
    expect(estimateAccuracy(reference, unscored)).toMatchObject({
      notShown: expect.stringContaining('between 0 and 1'),
    })
    const elsewhere = slotsOf(
      simulated(9, { count: 1_000, fromMs: laterMs }).map((one) => ({ ...one, confidence: 0.2 })),
    )
    expect(estimateAccuracy(reference, elsewhere)).toMatchObject({ notShown: expect.stringContaining('0 %') })
  })
})
