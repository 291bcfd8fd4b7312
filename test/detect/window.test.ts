import { describe, expect, test } from 'vitest'
import { runSlides, slideMs, startMs } from './long-run.ts'
import type { TestRow } from './panes.ts'
import { Random } from './random.ts'

const SLIDES_A_DAY = 288

/** A row or none in a slide, four in ten of them with one: an hour holds some five. */
function sparse(shiftFrom: number, shift: number): (slide: number) => readonly TestRow[] {
  const random = new Random(4)
  return (slide) => {
    if (random.next() > 0.4) return []
    const value = random.normal() + (slide >= shiftFrom ? shift : 0)
    return [{ hash: random.hash(), numeric: { x: value } }]
  }
}

const slides = 6 * SLIDES_A_DAY
const shiftAt = 5 * SLIDES_A_DAY
const config = {
  referenceWindows: 3,
  referencePeriod: '2d',
  votes: { model: [{ vote: 'drift', problem: 'drift' as const, features: ['x'], detectors: ['psi'], quorum: 1 }] },
}
const byCount = { ...config, windowMinRows: 120, windowLongest: '2d' }

describe('windows by count', () => {
  const run = (options: Partial<Parameters<typeof runSlides>[0]>) =>
    runSlides({ slides, config: byCount, rowsOf: sparse(shiftAt, 3), ...options })
  const verdictAt = (measurements: ReturnType<typeof run>, slide: number) =>
    measurements[slide]!.features.find(({ feature }) => feature === 'x')!

  const measurements = run({})

  test('an hour of few rows is never judged by time alone, and is by the rows before it', () => {
    const byTime = run({ config })
    const statuses = (of: typeof measurements) =>
      of.slice(3 * SLIDES_A_DAY).map((_, at) => verdictAt(of, 3 * SLIDES_A_DAY + at).verdicts[0]!.status)
    expect(new Set(statuses(byTime))).toEqual(new Set(['insufficient']))
    expect(new Set(statuses(measurements).slice(SLIDES_A_DAY, 2 * SLIDES_A_DAY))).toEqual(new Set(['stable']))
    expect(statuses(measurements).at(-1)).toBe('drift')
  })

  test('takes whole slides until there are so many rows, and says from when on', () => {
    const { sample } = verdictAt(measurements, slides - 1)
    expect(sample!.rows).toBeGreaterThanOrEqual(120)
    expect(sample!.rows).toBeLessThan(123)
    expect(sample!.slides).toBeCloseTo(sample!.rows, 6)
    const endMs = startMs + slides * slideMs
    expect((endMs - sample!.fromMs!) / slideMs).toBeGreaterThan(200)
    // what is summed up stays that of the hour
    expect(measurements.at(-1)!.windowStartMs).toBe(endMs - 3_600_000)
    expect(measurements.at(-1)!.count).toBeLessThan(13)
  })

  test('goes no further back than it may', () => {
    const { sample } = verdictAt(run({ config: { ...byCount, windowLongest: '6h' } }), slides - 1)
    expect(sample!.fromMs).toBe(startMs + slides * slideMs - 6 * 3_600_000)
    expect(sample!.rows).toBeLessThan(60)
  })

  test('an hour that holds enough is judged by time alone', () => {
    const random = new Random(5)
    const rowsOf = () => Array.from({ length: 20 }, () => ({ hash: random.hash(), numeric: { x: random.normal() } }))
    const { sample } = verdictAt(run({ rowsOf }), slides - 1)
    expect(sample).toMatchObject({ rows: 240 })
    expect(sample!.fromMs).toBeUndefined()
  })

  test('a restart from what was written down changes nothing', () => {
    const restarted = run({ restartAt: [100, 3 * SLIDES_A_DAY + 5, shiftAt + 100] })
    expect(restarted.at(-1)).toEqual(measurements.at(-1))
    expect(restarted[shiftAt + 101]).toEqual(measurements[shiftAt + 101])
  })
})
