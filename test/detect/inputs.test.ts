/** Detectors of every input, as an entity asks them: what they are given, and that an answer follows a change. */
import { describe, expect, it } from 'vitest'
import type { Measurement } from '../../stream/contract/finding.ts'
import type { VerdictStatus } from '../../stream/contract/verdict.ts'
import { errorsOf } from '../../stream/detect/errors-in-order.ts'
import { ROWS } from '../../stream/detect/plan.ts'
import { runEntity } from './entity-run.ts'
import { hourMs, model, services } from './traffic.ts'

const minuteMs = 60_000
const faultMs = 2 * hourMs

/** A reference within half an hour. */
const quick = {
  ...{ window: '12m', slide: '1m', baseline: '30m', referencePeriod: '30m', referenceWindows: 2, minPaneRows: 10 },
  ...{ referenceRows: 1_000, windowRows: 600 },
}
const sustain = { evaluations: 2 }

function statuses(measurements: readonly Measurement[], of: { feature: string; detector: string }) {
  return measurements.flatMap(({ evaluationMs, features }) => {
    const measured = features.find(({ feature }) => feature === of.feature)
    const verdict = measured?.verdicts.find(({ detector }) => detector === of.detector)
    return verdict === undefined ? [] : [{ evaluationMs, status: verdict.status }]
  })
}

const share = (list: readonly { status: VerdictStatus }[], status: VerdictStatus): number =>
  list.filter((each) => each.status === status).length / list.length

describe('a model whose feature moves by two standard deviations', () => {
  const { measurements } = runEntity(
    {
      ...{ entity: model, seed: 1, startMs: 0, endMs: faultMs + 20 * minuteMs, rowsPerSecond: 10, amplitude: 0 },
      fault: { entity: model, fromMs: faultMs, shiftSd: 2 },
    },
    {
      ...quick,
      votes: {
        model: [
          {
            ...{ vote: 'drift', problem: 'drift', features: 'every numeric', quorum: 2, sustain },
            detectors: ['wasserstein', 'jensen-shannon', 'cusum', 'kswin', 'robust-z', 'quantile'],
          },
          {
            ...{ vote: 'joint', problem: 'drift', features: [ROWS], quorum: 1, sustain },
            detectors: ['isolation-forest', 'energy'],
          },
        ],
      },
    },
  )
  const cases = [
    ...['wasserstein', 'jensen-shannon', 'cusum', 'kswin', 'robust-z'].map((detector) => ({
      feature: 'age',
      detector,
    })),
    ...['isolation-forest', 'energy'].map((detector) => ({ feature: ROWS, detector })),
  ]

  it.each(cases)('is told by $detector over $feature, and before it hardly anything is', ({ feature, detector }) => {
    const told = statuses(measurements, { feature, detector })
    const before = told.filter(({ evaluationMs }) => evaluationMs <= faultMs)
    const after = told.filter(({ evaluationMs }) => evaluationMs > faultMs)
    expect(share(before, 'drift')).toBeLessThan(0.02)
    if (detector !== 'energy') expect(share(before.slice(-20), 'insufficient')).toBeLessThan(1)
    expect(share(after, 'drift')).toBeGreaterThan(0)
  })

  it('asks what is costly only where something else stands out', () => {
    const asked = statuses(measurements, { feature: ROWS, detector: 'energy' })
    const quiet = asked.filter(({ evaluationMs }) => evaluationMs <= faultMs)
    expect(share(quiet, 'insufficient')).toBeGreaterThan(0.8)
    expect(share(asked.filter(({ evaluationMs }) => evaluationMs > faultMs).slice(-5), 'insufficient')).toBe(0)
  })

  it('judges a quantile where a slide has rows enough for it, and abstains where not', () => {
    const told = statuses(measurements, { feature: 'age', detector: 'quantile' })
    // 600 rows a slide are fewer than the 1,000 that a p99 asks for
    expect(share(told, 'insufficient')).toBe(1)
  })

  it('has whole rows as a feature of their own, with a reference, in every measurement that has rows', () => {
    const last = measurements.at(-1)!.features.find(({ feature }) => feature === ROWS)!
    expect(last.reference).not.toBeNull()
    expect(last.window).toMatchObject({ kind: 'volume' })
    expect(measurements.at(-1)!.votes.find(({ vote }) => vote === 'joint')).toMatchObject({
      feature: ROWS,
      status: 'drift',
    })
  })
})

describe('a service of which a third of the answers fail', () => {
  const entity = services[0]!
  const { measurements } = runEntity(
    {
      ...{ entity, seed: 2, startMs: 0, endMs: faultMs + 20 * minuteMs, rowsPerSecond: 10, amplitude: 0 },
      fault: { entity, fromMs: faultMs, errorRate: 0.33 },
    },
    {
      ...quick,
      votes: {
        service: [
          {
            ...{ vote: 'errors', problem: 'errors', features: ['error'], quorum: 1, sustain },
            detectors: ['ddm', 'hddm-a', 'rate'],
          },
          {
            ...{ vote: 'volume', problem: 'volume', features: ['volume'], quorum: 1, sustain },
            detectors: ['robust-z', 'range-novelty', 'seasonal'],
          },
        ],
      },
    },
  )

  it.each(['ddm', 'hddm-a', 'rate'])('is told by %s, outcome by outcome, and nothing before it', (detector) => {
    const told = statuses(measurements, { feature: 'error', detector })
    const after = told.filter(({ evaluationMs }) => evaluationMs > faultMs)
    expect(told.filter(({ evaluationMs, status }) => evaluationMs <= faultMs && status === 'drift')).toEqual([])
    expect(share(after, 'drift')).toBeGreaterThan(0)
  })

  it('has a volume that detectors of levels and of series judge', () => {
    expect(share(statuses(measurements, { feature: 'volume', detector: 'robust-z' }).slice(-60), 'stable')).toBe(1)
    expect(statuses(measurements, { feature: 'volume', detector: 'range-novelty' }).length).toBeGreaterThan(100)
    // two hours are not three days
    expect(share(statuses(measurements, { feature: 'volume', detector: 'seasonal' }), 'insufficient')).toBe(1)
  })
})

describe('outcomes of which the counts are known', () => {
  it('are spread evenly, all of them up to a bound, with the same share beyond it', () => {
    expect([...errorsOf({ hits: 2, trials: 5 })]).toEqual([0, 1, 0, 1, 0])
    expect([...errorsOf({ hits: 0, trials: 3 })]).toEqual([0, 0, 0])
    expect([...errorsOf({ hits: 3, trials: 3 })]).toEqual([1, 1, 1])
    const many = [...errorsOf({ hits: 123_456, trials: 1_000_000 })]
    expect([many.length, many.filter((error) => error === 1).length]).toEqual([1_000, 123])
  })
})
