/** Workers killed again and again leave what an undisturbed run gives: a small run of what `run.ts` does at length. */
import { expect, it } from 'vitest'
import { runHarness } from './harness.ts'

const kills = Number(process.env['SENTINEL_CHAOS_KILLS'] ?? 200)
const seed = Number(process.env['SENTINEL_CHAOS_SEED'] ?? Math.floor(Math.random() * 1e6))

it(`${kills} kills at random moments and at every failpoint, in groups of one, two and three workers`, {
  timeout: 3_600_000,
}, async () => {
  const tally = await runHarness({
    kills,
    groups: 4,
    workers: 3,
    seed,
    killsPerGroup: 17,
    zombies: true,
    weather: false,
    report: (line) => console.log(`chaos: ${line}`),
  })
  console.log(tally.text())
  expect(tally.wrong, `seed ${seed}`).toEqual([])
  expect(tally.unasked, `seed ${seed}`).toEqual([])
  // too few kills cannot reach all of them
  if (kills >= 200) expect(tally.neverHit, `seed ${seed}`).toEqual([])
})
