import { describe, expect, it } from 'vitest'
import { detectConfig } from '../../stream/contract/configuration.ts'
import { Entity } from '../../stream/detect/entity.ts'
import { adjustScores, discountsOf, type Multiplicity } from '../../stream/detect/multiplicity.ts'
import { compilePlan } from '../../stream/detect/plan.ts'
import { paneOf } from './panes.ts'
import { Random } from './random.ts'

describe('adjustScores', () => {
  it('leaves one alone, and never raises', () => {
    expect(adjustScores([2], 'benjamini-hochberg')).toEqual([2])
    expect(adjustScores([2, 0.01, 0], 'none')).toEqual([2, 0.01, 0])
    for (const method of ['benjamini-hochberg', 'holm'] as const) {
      const adjusted = adjustScores([5, 0.2, 3, 0, 3], method)
      for (const [index, score] of [5, 0.2, 3, 0, 3].entries()) {
        expect(adjusted[index]).toBeGreaterThanOrEqual(0)
        expect(adjusted[index]).toBeLessThanOrEqual(score)
      }
      expect(adjusted[2]).toBe(adjusted[4])
    }
  })
})

describe('discountsOf', () => {
  it('takes off within a family, and not for what cannot judge', () => {
    const votes = [
      { family: 'drift', score: 5 },
      { family: 'errors', score: 5 },
      { family: 'drift', score: null },
      { family: 'drift', score: 1 },
    ]
    const [first, errors, absent, last] = discountsOf(votes, 'benjamini-hochberg')
    expect(first).toBeCloseTo(Math.log10(2))
    expect([errors, absent, last]).toEqual([0, 0, 0])
  })
})

describe('an entity of twenty features', () => {
  const paneMs = 300_000
  const features = Array.from({ length: 20 }, (_, index) => `f${String(index).padStart(2, '0')}`)

  /** Share of evaluations of quiet values at which some vote is drift. */
  function shareOfAny(multiplicity: Multiplicity): number {
    const random = new Random(6)
    const plan = compilePlan(
      detectConfig.parse({
        multiplicity,
        detectors: { 'student-t': { minEffect: 0 } },
        votes: {
          metric: [
            {
              ...{ vote: 'any', problem: 'anomaly', features: 'every numeric', detectors: ['student-t'], quorum: 1 },
              ...{ sustain: { evaluations: 1 }, threshold: 2 },
            },
          ],
        },
      }),
    )
    let entity: Entity | null = null
    let [judged, any] = [0, 0]
    for (let index = 0; index < 400; index++) {
      const numeric = Object.fromEntries(features.map((feature) => [feature, 100 + 10 * random.normal()]))
      const startMs = index * paneMs
      const pane = paneOf({ entity: 'metric:m', kind: 'metric', startMs, paneMs, rows: [{ hash: index, numeric }] })
      entity ??= Entity.first(plan, 'd', { pane, slideEndMs: pane.endMs })
      const { votes } = entity.closeSlide([pane], { endMs: pane.endMs, paneMs, isSilent: true }).measurement
      if (votes.every(({ status }) => status === 'insufficient')) continue
      judged++
      if (votes.some(({ status }) => status === 'drift')) any++
    }
    expect(judged).toBeGreaterThan(350)
    return any / judged
  }

  it('drifts somewhere by chance twenty times as often as one does, unless scores are lowered for it', () => {
    expect(shareOfAny('none')).toBeGreaterThan(0.12)
    expect(shareOfAny('benjamini-hochberg')).toBeLessThan(0.03)
    expect(shareOfAny('holm')).toBeLessThan(0.03)
  })
})
