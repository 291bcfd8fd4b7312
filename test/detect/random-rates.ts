/** Rates that vary, and hits at them: beta-binomial draws. */
import type { RateValue } from '../../stream/detect/detectors/detector.ts'
import type { Random } from './random.ts'

/** Gamma(shape, 1) by Marsaglia and Tsang 2000; below 1 by a power of a uniform. */
function gamma(random: Random, shape: number): number {
  if (shape < 1) return gamma(random, shape + 1) * (1 - random.next()) ** (1 / shape)
  const d = shape - 1 / 3
  for (;;) {
    const x = random.normal()
    const v = (1 + x / Math.sqrt(9 * d)) ** 3
    if (v > 0 && Math.log(1 - random.next()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v
  }
}

/** Hits of one value whose rate is drawn from a beta law of this mean and correlation. */
export function drawRate(random: Random, of: { trials: number; rate: number; overDispersion: number }): RateValue {
  const prior = (1 - of.overDispersion) / of.overDispersion
  const up = gamma(random, of.rate * prior)
  const rate = up / (up + gamma(random, (1 - of.rate) * prior))
  let hits = 0
  for (let trial = 0; trial < of.trials; trial++) if (random.next() < rate) hits++
  return { hits, trials: of.trials }
}
