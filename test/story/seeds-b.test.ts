import { describe, it } from 'vitest'
import { expectStory } from './seeds.ts'

const seeds = Array.from({ length: 10 }, (_, index) => 11 + index)

describe('the story in memory: one incident for the cascade, one for the drift, none on the quiet days', () => {
  it.each(seeds)('seed %i', { timeout: 300_000 }, (seed) => expectStory(seed))
})
