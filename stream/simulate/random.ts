/** Chance for the simulator: the same seed gives the same numbers on every machine with IEEE 754 doubles. */
export interface Random {
  /** Uniform in [0, 1): the upper 24 bits of one draw, so that it is exact. */
  uniform(): number
  /** Uniform integer in [0, below); `below` at most 2^24. */
  integer(below: number): number
  /** Standard normal. */
  normal(): number
  /** Exponential of mean 1. */
  exponential(): number
  chance(probability: number): boolean
  pick<T>(values: readonly T[]): T
  /** So many lower-case hex digits. */
  hex(digits: number): string
}

/**
 * xoshiro128** seeded by splitmix32 steps.
 *
 * @param seed   any safe integer; `stream` gives independent streams of one seed
 * @returns a generator with 128 bits of state; O(1) a draw
 * @example createRandom(1).uniform() is 0.5743167400360107
 * @see Blackman, Vigna 2021, ACM TOMS 47(4):36; reference implementation xoshiro128starstar.c 1.1
 */
export function createRandom(seed: number, stream = 0): Random {
  const mix = splitmix32((seed ^ Math.imul(stream + 1, 0x9e3779b9)) + Math.floor(seed / 2 ** 32))
  let a = mix()
  let b = mix()
  let c = mix()
  let d = mix() | 1 // all zero would stay zero
  let spare: number | undefined

  const next = (): number => {
    const result = Math.imul(rotateLeft(Math.imul(b, 5), 7), 9) >>> 0
    const shifted = b << 9
    c ^= a
    d ^= b
    b ^= c
    a ^= d
    c ^= shifted
    d = rotateLeft(d, 11)
    return result
  }
  const uniform = () => (next() >>> 8) / 2 ** 24
  const normal = (): number => {
    if (spare !== undefined) {
      const value = spare
      spare = undefined
      return value
    }
    const radius = Math.sqrt(-2 * Math.log(1 - uniform())) // Box-Muller: 1 - u is never 0
    const angle = 2 * Math.PI * uniform()
    spare = radius * Math.sin(angle)
    return radius * Math.cos(angle)
  }
  return {
    uniform,
    normal,
    integer: (below) => Math.floor(uniform() * below),
    exponential: () => -Math.log(1 - uniform()),
    chance: (probability) => uniform() < probability,
    pick: (values) => values[Math.floor(uniform() * values.length)]!,
    hex: (digits) => {
      let text = ''
      while (text.length < digits) text += next().toString(16).padStart(8, '0')
      return text.slice(0, digits)
    },
  }
}

function rotateLeft(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits))
}

/** @see Steele, Lea, Flood 2014, OOPSLA: SplitMix, with the 32-bit finaliser of MurmurHash3. */
function splitmix32(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x9e3779b9) | 0
    let z = state
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b)
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35)
    return z ^ (z >>> 16)
  }
}
