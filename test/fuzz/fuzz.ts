/** Runs targets in rounds; each round's seed follows from the first one, so that any failure can be run again. */
import fc from 'fast-check'
import type { Target } from './targets.ts'

export interface Failure {
  readonly target: string
  readonly seed: number
  readonly path: string | null
  readonly message: string
}

export interface FuzzResult {
  /** Inputs by target: values for decoders, records for stages. */
  readonly inputs: ReadonlyMap<string, number>
  readonly failures: readonly Failure[]
}

const roundRuns = 2_000

/**
 * Runs until every target has had its share of `inputs`, or failed.
 *
 * @param options.inputs   values and records in all, shared among the targets
 * @param options.onRound  told after each round, for progress
 */
export function fuzz(
  targets: readonly Target<never>[],
  options: { inputs: number; seed: number; onRound?: (doneInputs: number) => void },
): FuzzResult {
  const share = Math.ceil(options.inputs / targets.length)
  const counts = new Map(targets.map(({ name }) => [name, 0]))
  const failures: Failure[] = []
  let done = 0
  let open = [...targets]
  for (let round = 0; open.length > 0; round++) {
    const still: Target<never>[] = []
    for (const target of open) {
      const seed = (options.seed + round) | 0
      const { inputs, failure } = runRound(target, seed, share - counts.get(target.name)!)
      counts.set(target.name, counts.get(target.name)! + inputs)
      done += inputs
      options.onRound?.(done)
      if (failure !== null) failures.push(failure)
      else if (counts.get(target.name)! < share) still.push(target)
    }
    open = still
  }
  return { inputs: counts, failures }
}

function runRound(target: Target<never>, seed: number, left: number): { inputs: number; failure: Failure | null } {
  let inputs = 0
  const property = fc.property(target.inputs, (input) => {
    inputs += target.weigh(input)
    target.check(input)
  })
  const typical = target.weigh(fc.sample(target.inputs, { seed, numRuns: 1 })[0]!)
  const result = fc.check(property, { seed, numRuns: Math.max(1, Math.min(roundRuns, Math.ceil(left / typical))) })
  if (!result.failed) return { inputs, failure: null }
  const shown = fc.stringify(result.counterexample).slice(0, 4_000)
  const message = `${(result.errorInstance as Error | null)?.stack ?? 'failed'}\n${shown}`
  return { inputs, failure: { target: target.name, seed, path: result.counterexamplePath, message } }
}
