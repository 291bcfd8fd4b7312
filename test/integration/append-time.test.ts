/** A casefile whose records carry times of their producers: an expired decision could be dated back. Nothing goes on then. */
import { describe, expect, it } from 'vitest'
import { decodeJson } from '../../stream/contract/encoding.ts'
import { brokerTopic } from '../../stream/contract/topics.ts'
import { sentinel } from './child.ts'
import { createWorld, servicesMissing, until } from './world.ts'

describe.skipIf(servicesMissing)('times of decisions', () => {
  it('are the log’s own, or the worker ends and says how to mend it', { timeout: 180_000 }, async () => {
    const world = await createWorld()
    const { admin, kafka, prefix, configPath } = world
    const topic = brokerTopic('casefile', prefix)
    await admin.createTopics({ topics: [{ topic, numPartitions: 2 }], waitForLeaders: true })
    const stampBy = (value: 'CreateTime' | 'LogAppendTime') => {
      const configEntries = [{ name: 'message.timestamp.type', value }]
      return admin.alterConfigs({ validateOnly: false, resources: [{ type: 2, name: topic, configEntries }] })
    }
    const producer = kafka.producer()
    await producer.connect()
    const forge = async (partition: number) => {
      const decision = {
        type: 'decision',
        tenant: 'default',
        incidentId: 'a'.repeat(32),
        commandId: 'b'.repeat(32),
        decision: 'approve',
      }
      const message = { partition, timestamp: String(Date.UTC(2026, 0, 5)), value: JSON.stringify(decision) }
      await producer.send({ topic, messages: [message] })
    }
    const refusing = new RegExp(`${topic}.*CreateTime.*kafka-configs.*message.timestamp.type=LogAppendTime`)

    // one that was made before as brokers make them; again, now that it has its first record
    for (let start = 0; start < 2; start++) {
      const { code, stdout, stderr } = await sentinel(['run', '--config', configPath]).ended
      expect(code, stdout + stderr).toBe(78)
      expect(stdout + stderr).toMatch(refusing)
    }
    await admin.deleteTopics({ topics: [brokerTopic('commands', prefix)] })
    const doctor = await sentinel(['doctor', '--config', configPath]).end()
    expect(doctor.code).toBe(1)
    expect(doctor.stdout).toMatch(new RegExp(`wrong times of decisions: .*${refusing.source}`))
    // of our topics one is not there: that is told as such, and not as a missing permission
    expect(doctor.stdout).toMatch(/wrong our topics: \S+sentinel\.commands\.v1: not there.*topics --create/)
    expect(doctor.stdout).toMatch(/ok {4}permissions: /)

    // mended, it runs, and passes over what came with a time of its producer before; a changed setting ends it
    await forge(0)
    await stampBy('LogAppendTime')
    const worker = sentinel(['run', '--config', configPath])
    const ignored = async () => {
      const entries = (await world.read('audit')).map(({ value }) => decodeJson(value!) as { event: string })
      return entries.some(({ event }) => event === 'record-ignored')
    }
    await until('the forged decision to be passed over', ignored, {
      withinMs: 60_000,
      instead: () => `${worker.stdout}${worker.stderr}`.slice(-2_000),
    })
    expect(worker.stdout + worker.stderr).toMatch(/the decision or tick at \d+ does not count/)
    expect((await sentinel(['doctor', '--config', configPath]).end()).stdout).toMatch(/ok {4}times of decisions: /)
    await stampBy('CreateTime')
    await until('the broker to keep times of producers', async () => {
      await forge(1)
      return (
        (await Promise.race([worker.ended, new Promise<null>((resolve) => setTimeout(resolve, 200, null))])) !== null
      )
    })
    const { code, stdout, stderr } = await worker.ended
    expect(code, stdout + stderr).toBe(78)
    expect(stdout + stderr).toMatch(refusing)
    await producer.disconnect()
  })
})
