/**
 * The least effect that counts, passed by chance: distances of two samples of one law are above 0, the more so the fewer
 * rows there are and the more bins. Plain distances beside the effects that verdicts go by.
 */
import { energy } from '../../stream/detect/detectors/energy.ts'
import { jensenShannon } from '../../stream/detect/detectors/jensen-shannon.ts'
import { jensenShannonCategorical } from '../../stream/detect/detectors/jensen-shannon-categorical.ts'
import { jointDistances, observedEnergy } from '../../stream/detect/energy-distance.ts'
import { createRandom, type Random } from '../../stream/simulate/random.ts'

const REFERENCE_ROWS = 2_000
const ROWS = 100
const PERMUTATIONS = 99

export interface FloorShares {
  readonly what: string
  readonly floor: number
  /** Of pairs of one law: the plain distance, and the effect, at or above the least effect for drift. */
  readonly plain: number
  readonly effect: number
}

interface Look {
  readonly plain: number
  readonly effect: number
}

const numbers = (random: Random, count: number): Float64Array =>
  Float64Array.from({ length: count }, () => random.normal())

function lookAtCategories(random: Random, categories: number): Look {
  const draw = (rows: number) => {
    const counts = new Map<string, number>()
    for (let row = 0; row < rows; row++) {
      const name = String(random.integer(categories))
      counts.set(name, (counts.get(name) ?? 0) + 1)
    }
    return { counts, effectiveSize: rows }
  }
  const config = jensenShannonCategorical.config.parse({})
  const frozen = jensenShannonCategorical.freeze(draw(REFERENCE_ROWS), config)
  const { statistic, effect } = jensenShannonCategorical.judge(frozen, draw(ROWS), config)
  return { plain: statistic, effect }
}

function lookAtNumbers(random: Random): Look {
  const draw = (rows: number) => ({ values: numbers(random, rows).sort(), effectiveSize: rows })
  const config = jensenShannon.config.parse({})
  const frozen = jensenShannon.freeze(draw(REFERENCE_ROWS), config)
  const { statistic, effect } = jensenShannon.judge(frozen, draw(ROWS), config)
  return { plain: statistic, effect }
}

function lookAtRows(random: Random, width: number): Look {
  const columns = Array.from({ length: width }, (_, index) => String(index))
  const draw = (rows: number) => ({ columns, values: numbers(random, rows * width), rows, effectiveSize: rows })
  const config = energy.config.parse({ permutations: PERMUTATIONS })
  const [reference, window] = [draw(REFERENCE_ROWS), draw(ROWS)]
  const frozen = energy.freeze(reference, config)
  const { effect } = energy.judge(frozen, window, config)
  const observed = observedEnergy(jointDistances(window.values, Float64Array.from(frozen.values), width))
  return { plain: Math.sqrt(observed.energy / (2 * observed.between)), effect }
}

const looks: readonly { what: string; floor: number; look: (random: Random) => Look }[] = [
  ...[5, 20, 50, 90].map((categories) => ({
    what: `jensen-shannon-categorical, ${categories} categories`,
    floor: jensenShannonCategorical.config.parse({}).driftEffect,
    look: (random: Random) => lookAtCategories(random, categories),
  })),
  { what: 'jensen-shannon, 10 bins', floor: jensenShannon.config.parse({}).driftEffect, look: lookAtNumbers },
  ...[1, 5].map((width) => ({
    what: `energy, columns: ${width}`,
    floor: energy.config.parse({}).driftEffect,
    look: (random: Random) => lookAtRows(random, width),
  })),
]

/** Windows of a hundred rows against references of 2,000, of one law. */
export function floorShares(of: { runs: number; seed: number }): FloorShares[] {
  return looks.map(({ what, floor, look }) => {
    const random = createRandom(of.seed)
    const made = Array.from({ length: of.runs }, () => look(random))
    const share = (reaches: (look: Look) => boolean): number => made.filter(reaches).length / of.runs
    return { what, floor, plain: share(({ plain }) => plain >= floor), effect: share(({ effect }) => effect >= floor) }
  })
}
