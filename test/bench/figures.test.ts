import { describe, expect, it } from 'vitest'
import { Metrics } from '../../bench/harness/worker.ts'
import { quantile } from '../../bench/latency/quantiles.ts'
import { report, type Sample } from '../../bench/steady/report.ts'
import { leastSquares } from '../../bench/steady/slope.ts'

describe('least squares', () => {
  it('gives slope and standard error of a textbook series', () => {
    // residuals alternate, so that they do not widen the error
    const { slope, standardError, mean } = leastSquares([
      [0, 1],
      [1, 0],
      [2, 3],
      [3, 2],
    ])
    expect(slope).toBeCloseTo(0.6, 12)
    expect(mean).toBe(1.5)
    expect(standardError).toBeCloseTo(Math.sqrt(3.2 / 2 / 5), 12)
  })

  it('is less sure where residuals follow each other', () => {
    const wave = Array.from({ length: 60 }, (_, x) => [x, Math.sin(x / 5)] as const)
    const shuffled = wave.map(([x], index) => [x, wave[(index * 7) % 60]![1]] as const)
    expect(leastSquares(wave).standardError).toBeGreaterThan(3 * leastSquares(shuffled).standardError)
  })
})

describe('the report of a steady run', () => {
  const samples = Array.from(
    { length: 61 },
    (_, index): Sample => ({
      atMs: index * 10_000,
      rssMb: 500,
      // a saw's tooth over a floor that rises by 60 MB an hour
      heapMb: 100 + index / 6 + (index % 6) * 10,
      externalMb: 20,
      cpuSeconds: index,
      records: index * 10_000,
      lag: index === 50 ? 7 : 0,
    }),
  )
  const text = report(samples, 120_000)
  const row = (name: string) => {
    const found = text.split('\n').find((line) => line.startsWith(`| ${name} |`))
    return found!.split('|').map((cell) => cell.trim())
  }

  it('has the slope of each kind of memory after the warm-up', () => {
    expect(row('resident')[2]).toBe('0.0')
    expect(Number(row('heap, least of each minute')[2])).toBeCloseTo(60, 0)
  })

  it('has CPU, pace and the most that was behind by quarters', () => {
    expect(row('1/4').slice(2, 5)).toEqual(['100.0', '1000', '0'])
    expect(row('4/4').slice(2, 5)).toEqual(['100.0', '1000', '7'])
  })
})

it('a quantile is a value that was seen: the least that so large a share does not pass', () => {
  const values = [5, 1, 4, 2, 3]
  expect([0, 0.2, 0.5, 0.99, 1].map((share) => quantile(values, share))).toEqual([1, 1, 3, 5, 5])
})

it('metrics are summed by name and labels, and no other name that begins alike', () => {
  const metrics = new Metrics('# HELP a x\na{k="1",l="x"} 2\na{k="2",l="x"} 3\nab{k="1"} 5\nb 1.5e-1\n')
  expect([metrics.sum('a'), metrics.sum('a', { k: '2' }), metrics.sum('b'), metrics.sum('c')]).toEqual([5, 3, 0.15, 0])
})
