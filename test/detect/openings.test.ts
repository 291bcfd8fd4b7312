import { describe, expect, it } from 'vitest'
import { type OpeningRules, openingsOf, ScoreRecorder, type ScoreSeries, within } from '../../stream/detect/openings.ts'
import type { HeldRule } from '../../stream/detect/plan.ts'
import { holdVote, initialVote } from '../../stream/detect/vote.ts'
import { Random } from './random.ts'

const rules: OpeningRules = { sustain: { count: 2, spacingMs: 10, gapMsMax: 60 }, gapMs: 30 }

/** A score every 10 ms. */
function seriesOf(scores: readonly (number | null)[]): ScoreSeries {
  const recorder = new ScoreRecorder()
  for (const [index, score] of scores.entries()) recorder.add({ timeMs: (index + 1) * 10, score })
  return recorder.series()
}

describe('openingsOf', () => {
  it('counts a run of exceedances once, from the evaluation that confirms it', () => {
    expect(openingsOf([seriesOf([0, 5, 5, 5, 5, 0])], 4, rules)).toEqual([30])
    expect(openingsOf([seriesOf([0, 5, 0, 5, 0])], 4, rules)).toEqual([])
    expect(openingsOf([seriesOf([0, 5, 5, 5, 5, 0])], 6, rules)).toEqual([])
  })

  it('takes what comes again within quiet close and cooldown for the same incident', () => {
    expect(openingsOf([seriesOf([5, 5, 0, 5, 5])], 4, rules)).toEqual([20])
    expect(openingsOf([seriesOf([5, 5, 0, 0, 0, 5, 5])], 4, rules)).toEqual([20, 70])
  })

  it('takes the features of an entity for one incident', () => {
    const other = seriesOf([0, 0, 0, 5, 5, 5])
    expect(openingsOf([seriesOf([5, 5, 5, 0, 0, 0]), other], 4, rules)).toEqual([20])
    expect(openingsOf([other, seriesOf([5, 5, 0, 0, 0, 0, 0, 0, 0, 5, 5])], 4, rules)).toEqual([20, 110])
  })

  it('does not let one value sustain itself', () => {
    const recorder = new ScoreRecorder()
    for (const timeMs of [10, 20, 30, 40]) recorder.add({ timeMs, score: 9, newMs: 10 })
    expect(openingsOf([recorder.series()], 4, rules)).toEqual([])
  })

  it('opens where the vote itself would, whatever the threshold', () => {
    const random = new Random(3)
    const scores = Array.from({ length: 5_000 }, () => (random.next() < 0.1 ? null : 8 * random.next()))
    const series = seriesOf(scores)
    for (const threshold of [1, 2.5, 4, 6]) {
      const rule: HeldRule = {
        ...{ vote: 'v', problem: 'drift', features: 'every numeric', detectors: [], quorum: 1, sustain: rules.sustain },
        ...{ threshold, warningThreshold: threshold / 2, quietBelow: 4, givenThreshold: null, sensitivity: 'medium' },
      }
      const state = initialVote()
      const opened: number[] = []
      let lastMs = Number.NEGATIVE_INFINITY
      for (const [index, score] of scores.entries()) {
        const evaluationMs = (index + 1) * 10
        const status = score === null ? 'insufficient' : 'stable'
        const verdict = {
          detector: 'd',
          status,
          score: score ?? 0,
          statistic: 0,
          effect: 9,
          threshold: 0,
          sampleCount: 1,
        } as const
        const verdicts = [{ group: 'anomaly', onsetMs: null, judgedMs: evaluationMs, verdict } as const]
        if (holdVote(state, rule, { feature: 'x', evaluationMs, verdicts }).status !== 'drift') continue
        if (evaluationMs - lastMs > rules.gapMs) opened.push(evaluationMs)
        lastMs = evaluationMs
      }
      expect(opened.length).toBeGreaterThan(10)
      expect(openingsOf([series], threshold, rules)).toEqual(opened)
    }
  })
})

describe('within', () => {
  it('keeps half-open ranges, without those left out', () => {
    const kept = within(seriesOf([1, 2, 3, null, 5, 6]), { fromMs: 20, toMs: 60 }, [{ fromMs: 30, toMs: 40 }])
    expect([...kept.timesMs]).toEqual([20, 40, 50])
    expect([...kept.scores]).toEqual([2, Number.NaN, 5])
  })
})
