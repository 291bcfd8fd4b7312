import { describe, expect, test } from 'vitest'
import type { Verdict } from '../../../stream/contract/verdict.ts'
import { rangeNovelty } from '../../../stream/detect/detectors/range-novelty.ts'
import { Random } from '../random.ts'

const STEP_MS = 300_000
const startMs = Date.UTC(2024, 0, 1)

function run(values: readonly number[], config: object = {}) {
  const parsed = rangeNovelty.config.parse(config)
  const state = rangeNovelty.initial()
  const verdicts = values.map(
    (value, index): Verdict => rangeNovelty.update(state, { endMs: startMs + (index + 1) * STEP_MS, value }, parsed),
  )
  return { state, verdicts }
}

const alarmsOf = ({ verdicts }: { verdicts: readonly Verdict[] }) =>
  verdicts.flatMap(({ status }, index) => (status === 'drift' ? [index] : []))

const wave = (count: number, seed: number) => {
  const random = new Random(seed)
  return Array.from({ length: count }, (_, index) => 50 + 20 * Math.sin((index / 288) * 2 * Math.PI) + random.normal())
}

test('the example of its docstring', () => {
  const values = Array.from({ length: 300 }, (_, index) => index % 3)
  const { verdicts } = run([...values, 3], { decay: 0, summaries: ['value'] })
  expect(verdicts.at(-1)).toMatchObject({ status: 'drift', statistic: Math.sqrt(0.5), effect: 0.5, threshold: 6 })
})

test('each kind of onset is found by a summary that the value alone lacks', () => {
  const normal = wave(2_000, 1)
  const from = 1_500
  const random = new Random(2)
  const changes: Record<string, (value: number, index: number) => number> = {
    'flat line': (value, index) => (index >= from ? normal[from]! : value),
    'noise within the range': (value, index) => (index >= from ? 50 + 9 * random.normal() : value),
    'the day turned round': (value, index) => (index >= from ? 100 - value : value),
  }
  for (const [name, change] of Object.entries(changes)) {
    const values = normal.map(change)
    const found = (config: object) =>
      alarmsOf(run(values, config)).filter((index) => index >= from && index < from + 288)
    expect(found({}).length, name).toBeGreaterThan(0)
    expect(found({ summaries: ['value'] }), name).toEqual([])
  }
})

test('an onset is one alarm, not one a value', () => {
  const values = [...wave(1_500, 3), ...wave(300, 4).map((value) => value + 60)]
  const alarms = alarmsOf(run(values)).filter((index) => index >= 1_500)
  expect(alarms[0]).toBe(1_500)
  expect(alarms.length).toBeLessThan(12)
})

describe('an outlier', () => {
  const normal = wave(30_000, 5)
  const values = normal.map((value, index) => (index === 1_000 ? 5_000 : index === 29_000 ? 140 : value))
  const late = (config: object) => run(values, { summaries: ['value'], ...config }).verdicts[29_000]!.statistic

  test('blinds it for ever without decay, and for a while with it', () => {
    expect(late({ decay: 0 })).toBe(0)
    expect(late({ decay: 3e-4 })).toBeGreaterThan(0.305)
  })
})

test('scale of the values changes nothing', () => {
  const values = wave(2_000, 6).map((value, index) => value + (index > 1_700 ? 25 : 0))
  const plain = run(values).verdicts.map(({ statistic }) => statistic)
  const scaled = run(values.map((value) => value * 1024)).verdicts.map(({ statistic }) => statistic)
  for (const [index, statistic] of plain.entries()) expect(scaled[index]).toBeCloseTo(statistic, 3)
})

test('a constant series has no range to leave but a thousandth of its size', () => {
  const constant = new Array<number>(400).fill(100)
  expect(alarmsOf(run([...constant, ...constant]))).toEqual([])
  expect(alarmsOf(run([...constant, 100.0001]))).toEqual([])
  expect(alarmsOf(run([...constant, 101]))).toEqual([400])
})

test('its state is bounded', () => {
  const random = new Random(7)
  // Levels and shapes that never come again.
  const values = Array.from({ length: 12_000 }, (_, index) => index ** 1.5 * random.next() + random.normal())
  const { state } = run(values)
  expect(JSON.stringify(state).length).toBeLessThan(20_000)
  expect(state.shape!.shapes.length).toBeLessThanOrEqual(32)
  expect(state.recent.length).toBe(96)
  expect(state.peaks.length).toBeLessThanOrEqual(101)
})
