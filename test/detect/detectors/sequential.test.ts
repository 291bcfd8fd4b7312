import { describe, expect, test } from 'vitest'
import type { Verdict } from '../../../stream/contract/verdict.ts'
import { adwin } from '../../../stream/detect/detectors/adwin.ts'
import { cusum, textbookCusum } from '../../../stream/detect/detectors/cusum.ts'
import { ddm, riverDdm } from '../../../stream/detect/detectors/ddm.ts'
import { hddmA, riverHddmA } from '../../../stream/detect/detectors/hddm-a.ts'
import { kswin, riverKswin } from '../../../stream/detect/detectors/kswin.ts'
import { pageHinkley, riverPageHinkley } from '../../../stream/detect/detectors/page-hinkley.ts'
import type { AnySequential } from '../../../stream/detect/detectors/registry.ts'
import { Random } from '../random.ts'

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

function normal(seed: number, count: number, level = 0): number[] {
  const random = new Random(seed)
  return Array.from({ length: count }, () => level + random.normal())
}

function errors(seed: number, count: number, rate: number): number[] {
  const random = new Random(seed)
  return Array.from({ length: count }, () => Number(random.next() < rate))
}

describe('cusum', () => {
  test('the example of its docstring', () => {
    const verdicts = follow(cusum, step(0, 1, 20), textbookCusum)
    expect(firstAlarm(verdicts)).toBe(30)
    expect(verdicts[30]).toMatchObject({ statistic: 5.5, effect: 1, sampleCount: 31 })
  })

  test('does not get used to a level that is not the reference, as Page-Hinkley does', () => {
    const shifted = normal(1, 400, 1.5)
    expect(firstAlarm(follow(cusum, shifted))).toBeGreaterThan(0)
    expect(firstAlarm(follow(pageHinkley, shifted))).toBe(-1)
  })

  test('after an alarm it starts anew', () => {
    const values = step(0, 2, 40)
    const verdicts = follow(cusum, values)
    const alarm = firstAlarm(verdicts)
    expect(verdicts.slice(alarm + 1)).toEqual(follow(cusum, values.slice(alarm + 1)))
  })

  test('looks one way where told so', () => {
    const down = step(0, -2, 40)
    expect(firstAlarm(follow(cusum, down, { mode: 'up' }))).toBe(-1)
    const verdicts = follow(cusum, down, { mode: 'down' })
    expect(verdicts[firstAlarm(verdicts)]!.effect).toBeCloseTo(-2, 12)
  })

  test('warns before it alarms', () => {
    const statuses = follow(cusum, step(0, 1, 60)).map(({ status }) => status)
    expect(statuses.indexOf('warning')).toBeGreaterThan(60)
    expect(statuses.indexOf('warning')).toBeLessThan(statuses.indexOf('drift'))
  })
})

describe('kswin', () => {
  test('the example of its docstring', () => {
    const verdicts = follow(kswin, step(0, 1, 200), riverKswin)
    expect(firstAlarm(verdicts)).toBe(213)
    expect(verdicts[213]!.statistic).toBeCloseTo(14 / 30, 12)
  })

  test('its draws come from the seed alone, and go on through an alarm', () => {
    const values = [...normal(1, 300), ...normal(2, 300, 2)]
    const scores = (seed: number) => follow(kswin, values, { seed }).map(({ score }) => score)
    expect(scores(1)).toEqual(scores(1))
    expect(scores(2)).not.toEqual(scores(1))

    const state = kswin.initial(kswin.config.parse({}))
    const before = [...state.draws]
    const config = kswin.config.parse({})
    const alarms = values.filter((value) => kswin.update(state, value, config).status === 'drift')
    expect(alarms.length).toBe(1)
    expect(state.draws).not.toEqual(before)
  })

  test('sees a change of the spread alone', () => {
    const wider = [...normal(3, 300), ...normal(4, 300).map((value) => value * 6)]
    const options = { windowSize: 400, statSize: 100 }
    expect(firstAlarm(follow(kswin, wider, options))).toBeGreaterThan(299)
  })

  test('a significant distance below the floor is no alarm', () => {
    const values = step(0, 0.5, 100)
    const found = follow(kswin, values, { minEffect: 0 })
    expect(firstAlarm(found)).toBeGreaterThan(0)
    const floored = follow(kswin, values, { minEffect: 1 })
    expect(firstAlarm(floored)).toBe(-1)
    expect(Math.max(...floored.map(({ score }) => score))).toBeGreaterThan(5)
  })

  test('refuses a window that is too small to draw from', () => {
    expect(() => kswin.config.parse({ windowSize: 50, statSize: 30 })).toThrow('twice statSize')
  })

  test('never draws a value twice', () => {
    // had one been drawn twice, the older side would count fewer values, and equal sides would differ
    const verdicts = follow(kswin, new Array<number>(2_000).fill(3))
    expect(verdicts.every(({ statistic }) => statistic === 0)).toBe(true)
  })

  test('its state is as large as the window, and no more', () => {
    const config = kswin.config.parse({})
    const state = kswin.initial(config)
    for (const value of normal(5, 5_000)) kswin.update(state, value, config)
    expect(JSON.stringify(state).length).toBeLessThan(2_500)
  })
})

describe('ddm', () => {
  const clean = new Array<number>(1_000).fill(0)

  test('after a run without errors River alarms at the first one, the defaults abstain', () => {
    expect(firstAlarm(follow(ddm, [...clean, 1], riverDdm))).toBe(1_000)
    const verdicts = follow(ddm, [...clean, 1])
    expect(verdicts.at(-1)).toMatchObject({ status: 'insufficient', score: 0, sampleCount: 1_001 })
  })

  test('at one error in a thousand River alarms again and again, the defaults do not', () => {
    const rare = errors(6, 10_000, 0.001)
    const count = (config: object) => follow(ddm, rare, config).filter(({ status }) => status === 'drift').length
    expect(count(riverDdm)).toBeGreaterThan(3)
    expect(count({})).toBe(0)
  })

  test('still finds a model that fails after a clean run', () => {
    const alarm = firstAlarm(follow(ddm, [...clean, ...errors(7, 300, 0.3)]))
    expect(alarm).toBeGreaterThan(1_000)
    expect(alarm).toBeLessThan(1_150)
  })

  test('a falling rate is no alarm', () => {
    expect(firstAlarm(follow(ddm, [...errors(8, 500, 0.4), ...errors(9, 1_500, 0.05)]))).toBe(-1)
  })
})

describe('hddm-a', () => {
  test('the example of its docstring', () => {
    const verdicts = follow(hddmA, [...new Array<number>(500).fill(0), ...new Array<number>(100).fill(1)], riverHddmA)
    expect(firstAlarm(verdicts)).toBe(503)
    expect(verdicts[503]!.effect).toBeCloseTo(4 / 504, 12)
  })

  test('a clean run is no trap for it: the first errors say little, the fifth in a row alarms', () => {
    const verdicts = follow(hddmA, [...new Array<number>(1_000).fill(0), 1, 1, 1, 1, 1])
    expect(verdicts[1_000]).toMatchObject({ status: 'stable' })
    expect(firstAlarm(verdicts)).toBe(1_004)
  })

  test('a fall alarms only where both sides are asked for, with a negative effect', () => {
    const better = [...errors(10, 500, 0.5), ...errors(11, 500, 0.05)]
    expect(firstAlarm(follow(hddmA, better))).toBe(-1)
    const verdicts = follow(hddmA, better, { twoSided: true })
    expect(verdicts[firstAlarm(verdicts)]!.effect).toBeLessThan(0)
  })

  test('its score is where the confidence would just alarm', () => {
    const worse = [...new Array<number>(300).fill(0), 1, 1, 1]
    const verdict = follow(hddmA, worse).at(-1)!
    expect(verdict.score).toBeGreaterThan(0.5)
    expect(verdict.score).toBeLessThan(4)
    const statusAt = (warningConfidence: number) => follow(hddmA, worse, { warningConfidence }).at(-1)!.status
    expect(statusAt(10 ** -(verdict.score - 0.001))).toBe('warning')
    expect(statusAt(10 ** -(verdict.score + 0.001))).toBe('stable')
  })
})
