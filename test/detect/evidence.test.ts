/** What a task tells beside its verdicts: learned references as records, why who abstained, what was compared. */
import { describe, expect, it } from 'vitest'
import { measurement } from '../../stream/contract/finding.ts'
import { type LearnedReference, learnedReference } from '../../stream/contract/reference.ts'
import { withFloor } from '../../stream/detect/evidence.ts'
import { referenceParts } from '../../stream/detect/record-size.ts'
import { type ConfigInput, Harness } from './harness.ts'
import { paneOf } from './panes.ts'
import { Random } from './random.ts'

const paneMs = 10_000
const slideMs = 60_000
const config: ConfigInput = {
  ...{ window: '6m', slide: '1m', baseline: '12m', referencePeriod: '12m', referenceWindows: 2, minPaneRows: 8 },
  ...{ referenceRows: 200, windowRows: 120 },
}

/** A model of a number and a category, from minute to minute. */
class Model {
  readonly harness = new Harness(config)
  readonly #draw = new Random(7)

  constructor() {
    this.harness.join('predictions', 1, { paneMs })
  }

  run(fromMinute: number, toMinute: number, options: { shift?: number; restartAt?: number } = {}): this {
    for (let startMs = fromMinute * slideMs; startMs < toMinute * slideMs; startMs += paneMs) {
      const rows = Array.from({ length: 12 }, () => ({
        hash: this.#draw.hash(),
        numeric: { x: this.#draw.normal() + (options.shift ?? 0) },
        categorical: { k: this.#draw.next() < 0.3 ? 'a' : 'b' },
      }))
      const name = { entity: 'model:m', kind: 'model', source: 'predictions', partition: 0 } as const
      this.harness.feed(paneOf({ ...name, startMs, rows }))
      this.harness.heartbeat('predictions', 0, 1, startMs + paneMs)
      if (startMs === (options.restartAt ?? -1) * slideMs) this.harness.restart()
    }
    return this
  }

  get references(): LearnedReference[] {
    return this.harness.emissions.flatMap(({ body }) => (body.type === 'reference' ? [body as LearnedReference] : []))
  }
}

describe('a learned reference', () => {
  const model = new Model().run(0, 30)

  it('is told once, as a record that its contract allows, before the first measurement that names it', () => {
    const [reference, ...more] = model.references
    expect(more).toEqual([])
    expect(learnedReference.parse(reference)).toEqual(reference)
    const at = model.harness.emissions.findIndex(({ body }) => body === reference)
    expect(model.harness.emissions[at]).toMatchObject({ topic: 'measurements', route: 'own', id: reference!.id })
    const naming = model.harness.emissions.findIndex(
      ({ body }) =>
        body.type === 'measurement' &&
        measurement.parse(body).features.some((each) => each.reference === reference!.id),
    )
    expect(naming).toBe(at + 1)
  })

  it('says what it was learned of: times, slides, rows and what they are worth, bins, what series are standardised by', () => {
    const [{ fromMs, toMs, features }] = model.references as [LearnedReference]
    expect([fromMs, toMs]).toEqual([0, 12 * slideMs])
    expect(features.map(({ feature, kind }) => [feature, kind])).toEqual([
      ['k', 'categorical'],
      ['x', 'numeric'],
    ])
    for (const { slides, rows, effectiveRows, bins } of features) {
      expect([slides, rows]).toEqual([12, 200])
      expect(effectiveRows).toBeGreaterThan(20)
      expect(effectiveRows).toBeLessThanOrEqual(rows)
      expect(bins!.counts.reduce((sum, count) => sum + count, 0)).toBe(rows)
    }
    expect(features[1]!.standard!.mean).toBeCloseTo(0, 0)
  })

  it('is not told again after a restart, nor with other bytes', () => {
    for (const restartAt of [3, 11, 12, 20]) {
      expect(new Model().run(0, 30, { restartAt }).references).toEqual(model.references)
    }
  })

  it('is several records where it would not fit a message, a feature whole in one of them', () => {
    const [whole] = model.references as [LearnedReference]
    expect(referenceParts(whole)).toEqual([whole])
    const parts = referenceParts(whole, 900)
    expect(parts.map(({ features }) => features.map(({ feature }) => feature))).toEqual([['k'], ['x']])
    expect(parts.map(({ id }) => id === whole.id)).toEqual([true, false])
    expect(parts.map(({ reference, part }) => [reference, part!.count])).toEqual(parts.map(() => [whole.id, 2]))
    for (const part of parts) expect(() => learnedReference.parse(part)).not.toThrow()
  })
})

describe('a measurement', () => {
  const model = new Model().run(0, 30).run(30, 45, { shift: 3 })
  const { measurements } = model.harness
  const ofX = (at: number) => measurements[at]!.features.find(({ feature }) => feature === 'x')!
  const reasons = (at: number) =>
    Object.fromEntries(ofX(at).verdicts.flatMap(({ detector, because }) => (because ? [[detector, because]] : [])))

  it('is what its contract allows', () => {
    for (const each of measurements) expect(measurement.parse(each)).toEqual(each)
  })

  it('says why who abstained: first for want of a reference and of a baseline, then of values', () => {
    const unlearned = { 'kolmogorov-smirnov': 'no-reference', psi: 'no-reference' }
    expect(reasons(0)).toMatchObject({ ...unlearned, adwin: 'no-reference', 'student-t': 'baseline-too-short' })
    expect(reasons(10)).toMatchObject(unlearned)
    expect(reasons(10)).not.toHaveProperty('student-t')
    expect(reasons(13)).toMatchObject({ 'page-hinkley': 'warming-up' })
    expect(reasons(29)).not.toHaveProperty('kolmogorov-smirnov')
    for (const { features } of measurements) {
      for (const { status, because } of features.flatMap(({ verdicts }) => verdicts)) {
        expect(because === undefined).toBe(status !== 'insufficient')
      }
    }
  })

  it('holds the rows that were compared, in the bins of the reference', () => {
    expect(ofX(5)).not.toHaveProperty('sample')
    const { sample, bins } = ofX(44)
    expect(sample!.rows).toBe(120)
    expect(sample!.effectiveRows).toBeLessThanOrEqual(120)
    expect(bins!.reduce((sum, count) => sum + count, 0)).toBe(120)
    const middle = (counts: readonly number[]) => counts.reduce((sum, count, bin) => sum + count * bin, 0) / 120
    expect(middle(bins!)).toBeGreaterThan(middle(ofX(29).bins!) + 2)
  })

  it('holds the baseline that values were judged against', () => {
    const { baseline } = ofX(29)
    expect(baseline).toMatchObject({ kind: 'values', scale: 'identity' })
    if (baseline?.kind === 'values') expect(baseline.count).toBeGreaterThan(50)
    const volume = measurements[29]!.features.find(({ feature }) => feature === 'volume')!
    expect(volume.verdicts).toEqual([])
  })

  it('says how far agreement has come, once a quorum says drift', () => {
    const votes = measurements.map((each) => each.votes.find(({ feature }) => feature === 'x')!)
    expect(votes[29]).not.toHaveProperty('sustain')
    const first = votes.find(({ sustain }) => sustain !== undefined)!
    expect(first).toMatchObject({ status: 'warning', sustain: { agreed: 1, needed: 2, spacingMs: 3 * slideMs } })
    expect(votes.find(({ status }) => status === 'drift')).toMatchObject({ sustain: { agreed: 2, needed: 2 } })
  })
})

describe('a verdict whose effect is too small to count', () => {
  const verdict = {
    ...{ detector: 'psi', status: 'stable' as const, statistic: 0.1, threshold: 3, sampleCount: 100 },
    ...{ score: 5, effect: -0.1 },
  }

  it('names the floor where its score would count', () => {
    expect(withFloor(verdict, { effectFloor: 0.25 })).toEqual({ ...verdict, floor: 0.25 })
    expect(withFloor({ ...verdict, score: 0.5 }, { effectFloor: 0.25 })).not.toHaveProperty('floor')
    expect(withFloor(verdict, { effectFloor: 0.1 })).not.toHaveProperty('floor')
    expect(withFloor({ ...verdict, status: 'insufficient' }, { effectFloor: 0.25 })).not.toHaveProperty('floor')
  })
})
