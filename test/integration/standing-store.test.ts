/** What an operator sees of a store that stands still: nothing of it is fetched, and yet its metrics move on. */
import { describe, expect, it, onTestFinished } from 'vitest'
import { smallTraffic } from '../runtime/small-world.ts'
import { type Child, workerProcess } from './child.ts'
import { createWorld, servicesMissing, until } from './world.ts'

describe.skipIf(servicesMissing)('a store that waits for a lock', { timeout: 120_000 }, () => {
  it('is seen to fall behind, and to have caught up', async () => {
    const world = await createWorld()
    const worker = workerProcess(world.configPath)
    await worker.says(/^ready/m)
    const client = await world.pool.connect()
    onTestFinished(() => client.release(true))
    await client.query('begin')
    await client.query(`lock table ${world.schema}.measurements in access exclusive mode`)
    await world.send(smallTraffic(3))
    const seen = async () => ({
      lag: await sum(worker, 'sentinel_lag_records{stage="store"'),
      delay: await sum(worker, 'sentinel_sink_delay_seconds{'),
    })
    const first = await until('the store to be behind', async () => {
      const now = await seen()
      return now.lag > 0 && now.delay > 0 && now
    })
    await until('its delay to grow', async () => (await seen()).delay > first.delay)
    await client.query('rollback')
    await until('all to be stored', async () => {
      const { lag, delay } = await seen()
      return lag === 0 && delay === 0
    })
    expect((await worker.terminate()).code, worker.stderr).toBe(0)
  })
})

/** Of the series whose text begins so. */
async function sum(worker: Child, start: string): Promise<number> {
  const [, api] = /^ready (\S+)/m.exec(worker.stdout)!
  const lines = (await (await fetch(`${api}/metrics`)).text()).split('\n').filter((line) => line.startsWith(start))
  return lines.reduce((total, line) => total + Number(line.slice(line.lastIndexOf(' ') + 1)), 0)
}
