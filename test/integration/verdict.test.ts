/** The verdict of the crash tests over a group that nothing disturbs: the least that it has to see, and not to see. */
import { describe, expect, it, onTestFinished } from 'vitest'
import { Group } from '../chaos/group.ts'
import { buildWorker } from '../chaos/worker-process.ts'
import { brokers, databaseUrl, environment, servicesMissing, until } from './world.ts'

/** Of the traffic of this seed: the first proposal is made at record 1,380, and waits until record 1,650. */
const toProposal = 1_500
const afterwards = 750

describe.skipIf(servicesMissing)('the verdict of the crash tests', { timeout: 600_000 }, () => {
  it('finds all of a group that nothing disturbed, an approval and a result among it', async () => {
    const group = await Group.create({
      seed: 4711,
      workerFile: await buildWorker(),
      direct: { brokers, databaseUrl },
      environment,
      replicationFactor: 1,
      idle: false,
      speed: 60,
    })
    onTestFinished(() => group.remove())
    const worker = group.worker()
    onTestFinished(() => worker.kill())
    const fed = (count: number) =>
      until(`${count} records to be sent`, async () => group.sent >= count, { withinMs: 60_000 })
    expect(await worker.until(() => worker.isReady, 60_000), worker.tail()).toBe(true)
    group.allow(toProposal)
    group.feed()
    await fed(toProposal)
    await until('an approval and a result', async () => group.answers.results > 0, {
      withinMs: 240_000,
      instead: async () => ({ incidents: await group.count('incidents'), decisions: group.answers.decisions }),
    })
    group.allow(afterwards)
    await fed(toProposal + afterwards)
    expect((await worker.terminate()).code, worker.tail()).toBe(0)
    const { verdict } = await group.finish()
    expect(verdict.wrong).toEqual([])
    expect(verdict.sourceRecords).toBe(toProposal + afterwards)
    expect(verdict.answers).toBeGreaterThanOrEqual(2)
  })
})
