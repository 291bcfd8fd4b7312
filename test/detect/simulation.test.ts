/**
 * How often the defaults cry wolf, and how soon they find what is broken, on traffic such as the demo's. Two days a run:
 * the first teaches references. `SIMULATION_SEEDS` sets how many runs (20 take some three minutes).
 */
import { setImmediate } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import type { Measurement } from '../../stream/contract/finding.ts'
import { insufficientShare } from '../../stream/detect/insufficient-share.ts'
import { runEntity } from './entity-run.ts'
import { dayMs, type Fault, hourMs, model, services } from './traffic.ts'

const seeds = Number(process.env['SIMULATION_SEEDS'] ?? 4)
const minuteMs = 60_000

const drifts = (measurements: readonly Measurement[]) =>
  measurements.flatMap(({ entity, evaluationMs, votes }) =>
    votes
      .filter(({ status }) => status === 'drift')
      .map(({ vote, feature }) => ({ entity, vote, feature, evaluationMs })),
  )

describe('two quiet days', () => {
  const told = { warnings: 0, votes: 0 }
  for (let seed = 0; seed < seeds; seed++) {
    it(`run ${seed}: no drift, and on the second day at most 5 % abstain`, { timeout: 120_000 }, async () => {
      for (const entity of [...services, model]) {
        // Even runs have the mild cycle of the demo, odd ones the worst that the floor of volume is meant for.
        const amplitude = seed % 2 === 0 ? 0.2 : 0.6
        const { measurements } = runEntity({ entity, seed, startMs: 0, endMs: 2 * dayMs, amplitude })
        expect(drifts(measurements)).toEqual([])
        expect(measurements.length).toBe(576)
        expect(insufficientShare(measurements, { fromMs: dayMs, toMs: 2 * dayMs })).toBeLessThan(0.05)
        const votes = measurements.flatMap((each) => each.votes)
        told.votes += votes.length
        told.warnings += votes.filter(({ status }) => status === 'warning').length
        await setImmediate() // vitest's worker has to answer now and then
      }
    })
  }

  it('warn in less than one vote of a thousand', () => {
    expect(told.warnings / told.votes).toBeLessThan(0.001)
  })
})

describe('what is broken', () => {
  const onsetMs = 1.25 * dayMs + 70_000
  const faults: {
    name: string
    fault: Partial<Fault>
    vote: string
    feature: string
    withinMs: number
    dated: number
  }[] = [
    {
      name: 'a fifth of answers fail',
      fault: { errorRate: 0.2 },
      vote: 'errors',
      feature: 'error',
      withinMs: 10,
      dated: 2,
    },
    { name: 'most answers fail', fault: { errorRate: 0.6 }, vote: '5xx', feature: 'http_5xx', withinMs: 10, dated: 1 },
    {
      name: 'latency times five',
      fault: { latencyFactor: 5 },
      vote: 'latency',
      feature: 'duration_ms',
      withinMs: 10,
      dated: 1,
    },
    { name: 'a service stops', fault: { volumeFactor: 0 }, vote: 'volume', feature: 'volume', withinMs: 15, dated: 1 },
    { name: 'a feature shifts by 1 sd', fault: { shiftSd: 1 }, vote: 'drift', feature: 'age', withinMs: 60, dated: 5 },
  ]
  for (const { name, fault, vote, feature, withinMs, dated } of faults) {
    it(`${name}: found within ${withinMs} minutes, dated to ${dated}, nothing before`, {
      timeout: 300_000,
    }, async () => {
      for (let seed = 0; seed < Math.min(seeds, 5); seed++) {
        const entity = vote === 'drift' ? model : services[seed % services.length]!
        const { measurements } = runEntity({
          ...{ entity, seed, startMs: 0, endMs: onsetMs + hourMs, amplitude: 0.6 },
          fault: { entity, fromMs: onsetMs, ...fault },
        })
        const found = drifts(measurements)
        const first = found.find((each) => each.vote === vote && each.feature === feature)
        expect(first).toBeDefined()
        expect(first!.evaluationMs - onsetMs).toBeLessThanOrEqual(withinMs * minuteMs)
        expect(Math.min(...found.map(({ evaluationMs }) => evaluationMs))).toBeGreaterThan(onsetMs)
        const at = measurements.find(({ evaluationMs }) => evaluationMs === first!.evaluationMs)!
        const datedMs = at.votes.find((each) => each.vote === vote && each.feature === feature)!.onsetMs!
        expect(Math.abs(datedMs - onsetMs)).toBeLessThanOrEqual(dated * minuteMs)
        await setImmediate()
      }
    })
  }
})
