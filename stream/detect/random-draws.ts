/**
 * Chance for detectors: xoshiro128**, whose state is plain JSON and is checkpointed with the detector's own. The same
 * seed gives the same draws, everywhere.
 *
 * @see Blackman and Vigna 2021, ACM TOMS 47(4):36, reference implementation xoshiro128starstar.c 1.1; seeded by splitmix
 *   steps (Steele, Lea and Flood 2014, OOPSLA) with the 32-bit finaliser of MurmurHash3
 */

/** Four words of 32 bits, as signed integers. */
export type DrawState = [number, number, number, number]

/** @param seed any integer; its lower 32 bits count */
export function seedDraws(seed: number): DrawState {
  let counter = seed | 0
  const word = (): number => {
    counter = (counter + 0x9e3779b9) | 0
    let mixed = counter
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b)
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
    return mixed ^ (mixed >>> 16)
  }
  return [word(), word(), word(), word() | 1] // all zero would stay zero
}

function rotateLeft(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits))
}

/** The next 32 bits, as an integer in [0, 2^32). Changes the state. */
export function drawWord(state: DrawState): number {
  const [a, b, c, d] = state
  const e = c ^ a
  const f = d ^ b
  state[0] = a ^ f
  state[1] = b ^ e
  state[2] = e ^ (b << 9)
  state[3] = rotateLeft(f, 11)
  return Math.imul(rotateLeft(Math.imul(b, 5), 7), 9) >>> 0
}

/** A uniform integer in [0, below), `below` at most 2^20: no value is likelier than another by more than 1 in 4,000. */
export function drawInteger(state: DrawState, below: number): number {
  return Math.floor((drawWord(state) * below) / 2 ** 32)
}
