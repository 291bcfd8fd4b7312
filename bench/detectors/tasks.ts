/** What ours and the peers are given: the same numbers, seeded, and settings that mean the same. */
import { riverKswin } from '../../stream/detect/detectors/kswin.ts'
import { riverPageHinkley } from '../../stream/detect/detectors/page-hinkley.ts'
import { createRandom } from '../../stream/simulate/random.ts'

export interface SequentialTask {
  readonly kind: 'page-hinkley' | 'adwin' | 'kswin'
  readonly name: string
  /** How many times as fast as the peer it has to be. */
  readonly bar: number
  readonly values: readonly number[]
  /** Ours, and the same by River's names. */
  readonly config: object
  readonly peer: object
}

export interface TwoSampleTask {
  readonly kind: 'kolmogorov-smirnov' | 'wasserstein'
  readonly name: string
  readonly bar: number
  /** Ascending, as windows are kept: neither side is spared what it does to them. */
  readonly pairs: readonly { readonly reference: readonly number[]; readonly window: readonly number[] }[]
  readonly config: object
  readonly peer: object
}

export type Task = SequentialTask | TwoSampleTask

const normal = (seed: number, count: number, level: (index: number) => number): number[] => {
  const random = createRandom(seed)
  return Array.from({ length: count }, (_, index) => level(index) + random.normal())
}

/** A new level every so many values. */
const stepping = (seed: number, count: number, every: number) =>
  normal(seed, count, (index) => (Math.floor(index / every) % 2) * 1.5)

/** The same law, a small shift and a large one. */
function pairs(seed: number, sizes: { reference: number; window: number }) {
  return [0, 0.1, 1].map((shift, index) => ({
    reference: normal(seed + 2 * index, sizes.reference, () => 0).sort((a, b) => a - b),
    window: normal(seed + 2 * index + 1, sizes.window, () => shift).sort((a, b) => a - b),
  }))
}

function kolmogorovSmirnov(method: 'exact' | 'asymptotic', sizes: { reference: number; window: number }): Task {
  return {
    kind: 'kolmogorov-smirnov',
    name: `Kolmogorov-Smirnov, ${sizes.reference} and ${sizes.window} rows, ${method} p`,
    bar: 3,
    pairs: pairs(100 + sizes.reference, sizes),
    config: { method },
    peer: { method: method === 'exact' ? 'exact' : 'asymp' },
  }
}

function wasserstein(sizes: { reference: number; window: number }): Task {
  return {
    kind: 'wasserstein',
    name: `Wasserstein-1, ${sizes.reference} and ${sizes.window} rows`,
    bar: 1.5,
    pairs: pairs(200 + sizes.reference, sizes),
    config: {},
    peer: {},
  }
}

export const tasks: readonly Task[] = [
  {
    kind: 'page-hinkley',
    name: 'Page-Hinkley',
    bar: 10,
    values: stepping(1, 50_000, 2_000),
    config: riverPageHinkley,
    peer: {},
  },
  {
    kind: 'adwin',
    name: 'ADWIN, a step every 2,000',
    bar: 1.5,
    values: stepping(2, 50_000, 2_000),
    config: {},
    peer: {},
  },
  { kind: 'adwin', name: 'ADWIN, no change', bar: 1.5, values: normal(3, 50_000, () => 0), config: {}, peer: {} },
  {
    kind: 'kswin',
    name: 'KSWIN, 30 of 30 older values',
    bar: 100,
    values: stepping(4, 1_000, 200),
    config: { ...riverKswin, windowSize: 60 },
    peer: { window_size: 60, seed: 1 },
  },
  kolmogorovSmirnov('exact', { reference: 300, window: 300 }),
  kolmogorovSmirnov('exact', { reference: 200, window: 180 }),
  kolmogorovSmirnov('asymptotic', { reference: 1_000, window: 900 }),
  kolmogorovSmirnov('asymptotic', { reference: 4_000, window: 4_000 }),
  wasserstein({ reference: 1_000, window: 900 }),
  wasserstein({ reference: 4_000, window: 4_000 }),
]
