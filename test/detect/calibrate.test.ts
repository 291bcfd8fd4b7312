import { describe, expect, it } from 'vitest'
import { overDispersionOf, predictiveInterval, rateInterval } from '../../stream/detect/alarm-rate.ts'
import { type CalibrationRules, calibrate, type EntityScores } from '../../stream/detect/calibrate.ts'
import { openingsOf, ScoreRecorder } from '../../stream/detect/openings.ts'
import { Random } from './random.ts'

const slideMs = 300_000
const hourMs = 3_600_000
const weekMs = 168 * hourMs
const rules: CalibrationRules = {
  ...{ sustain: { count: 1, spacingMs: 0, gapMsMax: hourMs }, gapMs: 0.6 * hourMs },
  ...{ slideMs, windowMs: hourMs },
}

/** Scores of independent p-values: -log10 of uniform numbers. */
function quiet(entities: number, weeks: number, seed: number): EntityScores[] {
  return Array.from({ length: entities }, (_, entity) => {
    const random = new Random(seed + entity)
    const recorder = new ScoreRecorder()
    for (let timeMs = slideMs; timeMs <= weeks * weekMs; timeMs += slideMs) {
      recorder.add({ timeMs, score: -Math.log10(1 - random.next()) })
    }
    return { entity: `service:${entity}`, features: [recorder.series()] }
  })
}

function thresholdOf(entities: EntityScores[], perWeek: number) {
  const found = calibrate(entities, rules, perWeek)
  if ('tooLittle' in found) throw new Error('too little history')
  return found.threshold
}

describe('calibrate', () => {
  const history = quiet(20, 2, 1)

  it('finds the score that p-values have at the target rate', () => {
    const once = thresholdOf(history, 1)
    // one in 2,016 looks a week
    expect(once.threshold).toBeCloseTo(Math.log10(2016), 0)
    expect(once.alarms).toBeLessThanOrEqual(40)
    expect(once.alarms).toBeGreaterThan(36)
    expect(once.entityWeeks).toBeCloseTo(40)
    const [low, high] = once.intervalPerWeek
    expect(low).toBeLessThan(1)
    expect(high).toBeGreaterThan(1)
    expect(thresholdOf(history, 7).threshold).toBeLessThan(once.threshold)
  })

  it('holds on a stretch that it has not seen', () => {
    const { threshold, alarms, entityWeeks, overDispersion } = thresholdOf(history, 1)
    const next = quiet(20, 2, 1_000)
    const observed = next.reduce((sum, { features }) => sum + openingsOf(features, threshold, rules).length, 0)
    const [low, high] = predictiveInterval(
      { alarms, weeks: entityWeeks, nextWeeks: entityWeeks, overDispersion },
      0.997,
    )
    expect(observed).toBeGreaterThanOrEqual(low)
    expect(observed).toBeLessThanOrEqual(high)
  })

  it('refuses below 16 alarms at the target rate, and says how much is missing', () => {
    const found = calibrate(history, rules, 7 / 30)
    expect(found).toEqual({
      tooLittle: { targetPerWeek: 7 / 30, entityWeeks: 40, missingEntityWeeks: expect.closeTo((16 * 30) / 7 - 40) },
    })
    expect('threshold' in calibrate(history, rules, 0.4)).toBe(true)
  })

  it('says what one bad day decides', () => {
    const scores = quiet(20, 2, 1)
    for (const { features } of scores) {
      // half of the entities' evaluations of one day stand out
      const { timesMs, scores: values } = features[0]!
      for (const [index, timeMs] of timesMs.entries()) {
        if (timeMs >= 0.5 * weekMs && timeMs < 0.5 * weekMs + 24 * hourMs && index % 12 === 0) values[index] = 9
      }
    }
    const { threshold, withoutLargestCluster: rest } = thresholdOf(scores, 1)
    expect(threshold).toBeGreaterThan(8)
    expect(rest!.clusterAlarms).toBeGreaterThan(300)
    expect(rest!.threshold).toBeCloseTo(Math.log10(2016), 0)
    expect(rest!.entityWeeks).toBeLessThan(40)
  })

  it('gives the lowest threshold where even that opens less often than the target', () => {
    expect(thresholdOf(history, 5_000).threshold).toBe(0.5)
  })

  it('ends where no score lies above the lowest threshold', () => {
    const flat = (score: number): EntityScores[] =>
      quiet(20, 1, 1).map(({ entity, features: [series] }) => {
        return { entity, features: [{ ...series!, scores: series!.scores.map(() => score) }] }
      })
    expect(thresholdOf(flat(0), 1).threshold).toBe(0.5)
    // each is one opening that never ends
    expect(thresholdOf(flat(0.5), 1).threshold).toBe(0.5)
    expect(thresholdOf(flat(0.5), 0.9).threshold).toBeGreaterThan(0.5)
    const once = flat(0)
    once[0]!.features[0]!.scores[100] = 0.6
    expect(thresholdOf(once, 1)).toMatchObject({ threshold: 0.5, withoutLargestCluster: { threshold: 0.5 } })
  })
})

describe('rates', () => {
  it('tells entities that differ from chance', () => {
    const alike = Array.from({ length: 50 }, (_, index) => ({ alarms: index % 2 === 0 ? 3 : 5, weeks: 4 }))
    expect(overDispersionOf(alike)).toBe(1)
    const differing = Array.from({ length: 50 }, (_, index) => ({ alarms: index % 2 === 0 ? 0 : 8, weeks: 4 }))
    expect(overDispersionOf(differing)).toBeCloseTo((50 * 16) / 4 / 49)
    expect(overDispersionOf([{ alarms: 9, weeks: 1 }])).toBe(1)
    expect(
      overDispersionOf([
        { alarms: 0, weeks: 1 },
        { alarms: 0, weeks: 2 },
      ]),
    ).toBe(1)
  })

  it('widens by how entities differ', () => {
    const [low, high] = rateInterval({ alarms: 40, weeks: 40, overDispersion: 1 }, 0.95)
    const [lower, higher] = rateInterval({ alarms: 40, weeks: 40, overDispersion: 4 }, 0.95)
    expect(lower).toBeLessThan(low)
    expect(higher).toBeGreaterThan(high)
    expect(rateInterval({ alarms: 0, weeks: 40, overDispersion: 1 }, 0.95)[0]).toBe(0)
  })

  it('holds the next count as often as it says, where entities differ too', () => {
    const random = new Random(9)
    let outside = 0
    for (let run = 0; run < 2_000; run++) {
      // each entity has a rate of its own, anew in each stretch: 1 or 5 a week
      const stretch = () =>
        Array.from({ length: 40 }, () => ({ alarms: random.poisson(random.next() < 0.5 ? 1 : 5), weeks: 1 }))
      const counts = stretch()
      const sum = (of: { alarms: number }[]) => of.reduce((total, { alarms }) => total + alarms, 0)
      const overDispersion = overDispersionOf(counts)
      const [low, high] = predictiveInterval({ alarms: sum(counts), weeks: 40, nextWeeks: 40, overDispersion }, 0.95)
      const next = sum(stretch())
      if (next < low || next > high) outside++
    }
    expect(outside / 2_000).toBeLessThan(0.07)
    expect(outside / 2_000).toBeGreaterThan(0.02)
  })
})
