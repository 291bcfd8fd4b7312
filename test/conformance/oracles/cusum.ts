import { expect } from 'vitest'
import { type CusumConfig, cusum } from '../../../stream/detect/detectors/cusum.ts'
import { Random } from '../../detect/random.ts'
import { follow } from '../look.ts'
import { streams, vectors } from '../vectors.ts'
import type { SequentialCase } from './cases.ts'

interface RunLength {
  allowance: number
  threshold: number
  shift: number
  /** As the textbook rounds it. */
  published?: number
  exact: number
}

const VALUES = 200_000

/** Mean and standard error of the run lengths in so many values of N(shift, 1), seeded. */
function simulate({ allowance, threshold, shift }: RunLength, seed: number): { mean: number; error: number } {
  const config = cusum.config.parse({ allowance, threshold })
  const state = cusum.initial()
  const random = new Random(seed)
  const lengths: number[] = []
  for (let i = 0; i < VALUES; i++) {
    const { status, sampleCount } = cusum.update(state, random.normal() + shift, config)
    if (status === 'drift') lengths.push(sampleCount)
  }
  const mean = lengths.reduce((sum, length) => sum + length, 0) / lengths.length
  const variance = lengths.reduce((sum, length) => sum + (length - mean) ** 2, 0) / (lengths.length - 1)
  return { mean, error: Math.sqrt(variance / lengths.length) }
}

/**
 * The published average run lengths: 20 of a textbook and others, all computed exactly, met by simulation within four
 * standard errors; and the alarms of the recursion as it is written down.
 */
export function cusumOracle(): void {
  const { lengths, cases } = vectors<{ lengths: RunLength[]; cases: SequentialCase<CusumConfig>[] }>('cusum')
  for (const [seed, length] of lengths.entries()) {
    const { mean, error } = simulate(length, seed)
    const label = JSON.stringify(length)
    expect(Math.abs(mean - length.exact) / error, label).toBeLessThan(4)
    expect(error / mean, label).toBeLessThan(0.07)
    if (length.published !== undefined) {
      expect(Math.abs(mean - length.published), label).toBeLessThan(4 * error + 0.01 * length.published)
    }
  }
  for (const { stream, config, alarms } of cases) {
    const label = `${stream} ${JSON.stringify(config)}`
    expect(follow(cusum, { values: streams[stream]!, config }).alarms, label).toEqual(alarms)
  }
  expect(cases.filter(({ alarms }) => alarms.length > 0).length).toBeGreaterThan(20)
}
