import { describe, expect, it } from 'vitest'
import { createRandom } from '../../stream/simulate/random.ts'

describe('random', () => {
  it('gives the numbers of the reference implementation in C for a seed', () => {
    const random = createRandom(1)
    const draws = [random.uniform(), random.uniform(), random.uniform(), random.uniform()]
    expect(draws).toEqual([0.57431674003601074, 0.16393041610717773, 0.33180010318756104, 0.55019742250442505])
  })

  it('gives other numbers for another seed or stream', () => {
    const firsts = [createRandom(1), createRandom(2), createRandom(1, 1), createRandom(2 ** 40 + 1)].map((one) =>
      one.uniform(),
    )
    expect(new Set(firsts).size).toBe(4)
  })

  it('has the moments that it should have', () => {
    const random = createRandom(42)
    const count = 100_000
    let sum = 0
    let squares = 0
    let exponentials = 0
    for (let index = 0; index < count; index++) {
      const value = random.normal()
      sum += value
      squares += value * value
      exponentials += random.exponential()
    }
    expect(sum / count).toBeCloseTo(0, 1.5)
    expect(squares / count).toBeCloseTo(1, 1.5)
    expect(exponentials / count).toBeCloseTo(1, 1.5)
  })

  it('draws integers, picks and hex digits within their bounds', () => {
    const random = createRandom(3)
    for (let index = 0; index < 1000; index++) expect(random.integer(7)).toBeLessThan(7)
    expect(['a', 'b']).toContain(random.pick(['a', 'b']))
    expect(random.hex(20)).toMatch(/^[0-9a-f]{20}$/)
  })
})
