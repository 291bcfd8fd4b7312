import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { fuzz } from './fuzz.ts'
import { type Target, targets } from './targets.ts'

/** Inputs that once broke a promise: `{target, why, input}`, bytes as `{"base64": …}`. */
const foundFolder = fileURLToPath(new URL('found', import.meta.url))

function revive(_name: string, value: unknown): unknown {
  const isBytes = typeof value === 'object' && value !== null && 'base64' in value && typeof value.base64 === 'string'
  return isBytes ? new Uint8Array(Buffer.from(value.base64 as string, 'base64')) : value
}

const all = targets()

describe('found before', () => {
  for (const name of readdirSync(foundFolder).sort()) {
    const { target, why, input } = JSON.parse(readFileSync(`${foundFolder}/${name}`, 'utf8'), revive)
    it(`${target}: ${why}`, () => {
      const found = all.find((candidate) => candidate.name === target) as Target<unknown> | undefined
      expect(found, `the target of ${name}`).toBeDefined()
      found!.check(input)
    })
  }
})

describe('fuzz', () => {
  it('100,000 inputs break no promise', { timeout: 300_000 }, () => {
    const { inputs, failures } = fuzz(all, { inputs: 100_000, seed: 20_260_105 })
    expect(failures.map(({ target, seed, message }) => `${target}, seed ${seed}: ${message}`)).toEqual([])
    expect([...inputs.values()].reduce((sum, count) => sum + count, 0)).toBeGreaterThanOrEqual(100_000)
  })

  it('finds a decoder that throws', () => {
    const [decoder] = all as unknown as Target<readonly [Uint8Array | null, number]>[]
    const broken = {
      ...decoder!,
      check([bytes]: readonly [Uint8Array | null, number]) {
        if (bytes?.includes(0)) throw new Error('a NUL')
      },
    }
    const { failures } = fuzz([broken as unknown as Target<never>], { inputs: 5_000, seed: 1 })
    expect(failures).toHaveLength(1)
    expect(failures[0]!.message).toContain('a NUL')
  })
})
