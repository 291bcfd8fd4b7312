import { describe, expect, test } from 'vitest'
import type { Verdict } from '../../../stream/contract/verdict.ts'
import { adwin } from '../../../stream/detect/detectors/adwin.ts'
import { pageHinkley, riverPageHinkley } from '../../../stream/detect/detectors/page-hinkley.ts'
import type { AnySequential } from '../../../stream/detect/detectors/registry.ts'

function follow(detector: AnySequential, values: readonly number[], config: object = {}): Verdict[] {
  const full = detector.config.parse(config)
  const state = detector.initial(full)
  return values.map((value) => detector.update(state, value, full))
}

function step(from: number, to: number, count: number): number[] {
  return [...new Array<number>(count).fill(from), ...new Array<number>(count).fill(to)]
}

function firstAlarm(verdicts: readonly Verdict[]): number {
  return verdicts.findIndex(({ status }) => status === 'drift')
}

describe('page-hinkley', () => {
  test('the example of its docstring', () => {
    const verdicts = follow(pageHinkley, step(1, 11, 100), riverPageHinkley)
    expect(firstAlarm(verdicts)).toBe(105)
    expect(verdicts[105]!.statistic).toBeCloseTo(57.94245370197015, 12)
  })

  test('after an alarm it starts anew', () => {
    const values = step(0, 8, 60)
    const verdicts = follow(pageHinkley, values)
    const alarm = firstAlarm(verdicts)
    const after = values.slice(alarm + 1)
    expect(after.length).toBeGreaterThan(30)
    expect(verdicts.slice(alarm + 1)).toEqual(follow(pageHinkley, after))
    expect(verdicts[alarm + 1]).toMatchObject({ status: 'insufficient', sampleCount: 1 })
  })

  test('looks one way where told so, and its effect has the sign of the shift', () => {
    const up = step(0, 3, 60)
    const down = step(0, -3, 60)
    const found = (values: number[], mode: string) =>
      follow(pageHinkley, values, { mode })[firstAlarm(follow(pageHinkley, values, { mode }))]
    expect(found(up, 'up')!.effect).toBeGreaterThan(2)
    expect(found(down, 'down')!.effect).toBeLessThan(-2)
    expect(found(down, 'both')!.effect).toBeLessThan(-2)
    expect(found(up, 'down')).toBeUndefined()
    expect(found(down, 'up')).toBeUndefined()
  })

  test('warns before it alarms', () => {
    const verdicts = follow(pageHinkley, step(0, 1, 100))
    const warning = verdicts.findIndex(({ status }) => status === 'warning')
    expect(warning).toBeGreaterThan(100)
    expect(warning).toBeLessThan(firstAlarm(verdicts))
    expect(verdicts[warning]!.statistic).toBeGreaterThanOrEqual(14)
  })
})

describe('adwin', () => {
  test('the example of its docstring', () => {
    const verdicts = follow(adwin, step(0, 1, 200))
    expect(firstAlarm(verdicts)).toBe(223)
    expect(verdicts[223]).toMatchObject({ effect: 1, sampleCount: 224 })
    expect(verdicts[223]!.score).toBeCloseTo(5.927833687874731, 9)
  })

  test('after an alarm it starts anew', () => {
    const verdicts = follow(adwin, step(0, 1, 200))
    const alarm = firstAlarm(verdicts)
    expect(verdicts.slice(alarm + 1)).toEqual(follow(adwin, new Array<number>(400 - alarm - 1).fill(1)))
  })

  test('the cut of a look stands until the next look', () => {
    const scores = follow(adwin, step(0, 1, 200), { delta: 1e-50 }).map(({ score }) => score)
    for (const [index, score] of scores.entries()) {
      if ((index + 1) % 32 !== 0 && index >= 32) expect(score).toBe(scores[index - 1])
    }
    expect(new Set(scores).size).toBeGreaterThan(4)
  })

  test('warns where only the larger delta would alarm', () => {
    const config = { delta: 1e-8, warningDelta: 0.002 }
    const statuses = follow(adwin, step(0, 1, 200), config).map(({ status }) => status)
    expect(statuses[223]).toBe('warning')
    expect(statuses[255]).toBe('drift')
  })

  test('the window is held in few buckets', () => {
    const config = adwin.config.parse({})
    const state = adwin.initial()
    for (let i = 0; i < 100_000; i++) adwin.update(state, i % 3, config)
    expect(state.width).toBe(100_000)
    expect(state.rows.reduce((sum, row) => sum + row.length, 0)).toBeLessThan(5 * 17)
    expect(JSON.stringify(state).length).toBeLessThan(2_000)
  })
})
