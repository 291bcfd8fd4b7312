/** Parts of topics, read of their leaders without a group, on a real broker. */
import { afterEach, describe, expect, it } from 'vitest'
import { DirectClient } from '../../stream/io/kafka/direct-client.ts'
import { RawProducer } from '../../stream/io/kafka/raw-producer.ts'
import { readRanges } from '../../stream/io/kafka/reader.ts'
import { mayRead } from '../../stream/io/kafka/refusal.ts'
import { type Names, ownNames, servicesMissing } from './world.ts'

const clients: DirectClient[] = []
afterEach(async () => void (await Promise.all(clients.splice(0).map((client) => client.disconnect()))))

/** A topic of two partitions that hold so many records each: `<partition>:<index>`. */
async function topicWith({ kafka, admin, prefix }: Names, counts: readonly number[]): Promise<string> {
  const topic = `${prefix}parts`
  await admin.createTopics({ topics: [{ topic, numPartitions: counts.length }], waitForLeaders: true })
  const producer = new RawProducer(kafka)
  await producer.connect()
  for (const [partition, count] of counts.entries()) {
    const records = Array.from({ length: count }, (_, index) => Buffer.from(`${partition}:${index}`))
    // several batches, so that a range begins and ends within one
    for (let from = 0; from < count; from += 100) {
      await producer.send(records.slice(from, from + 100).map((value) => ({ topic, partition, key: null, value })))
    }
  }
  await producer.disconnect()
  return topic
}

async function valuesOf({ kafka }: Names, ranges: Parameters<typeof readRanges>[1]): Promise<string[]> {
  const found: string[] = []
  await readRanges(kafka, ranges, async ({ value }) => {
    await new Promise((resolve) => setImmediate(resolve))
    found.push(Buffer.from(value!).toString())
  })
  return found.sort()
}

/** Removes the beginning of partition 0. */
async function removeBefore({ admin }: Names, topic: string, offset: number): Promise<void> {
  // KafkaJS looks for the leader before it has asked for one
  await admin.fetchTopicOffsets(topic)
  await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: String(offset) }] })
}

const values = (partition: number, from: number, to: number) =>
  Array.from({ length: to - from }, (_, at) => `${partition}:${from + at}`).sort()

describe.skipIf(servicesMissing)('a client without a group', () => {
  it('is told where logs begin and end by their leaders', async () => {
    const names = await ownNames()
    const topic = await topicWith(names, [250, 0])
    const client = new DirectClient(names.kafka)
    clients.push(client)
    await client.connect()
    const both = [0, 1].map((partition) => ({ topic, partition }))
    expect([...(await client.logEnds(both))].sort()).toEqual([
      [`${topic}/0`, 250],
      [`${topic}/1`, 0],
    ])
    await removeBefore(names, topic, 120)
    expect([...(await client.logStarts(both))].sort()).toEqual([
      [`${topic}/0`, 120],
      [`${topic}/1`, 0],
    ])
    await expect(client.logEnds([{ topic, partition: 7 }])).rejects.toThrow('has no leader')
  })

  it('reads ranges whole, each in order, and leaves no group behind', async () => {
    const names = await ownNames()
    const topic = await topicWith(names, [450, 320])
    const groups = async () => (await names.admin.listGroups()).groups.length
    const before = await groups()
    const ranges = [
      { topic, partition: 0, from: 137, to: 303 },
      { topic, partition: 1, from: 0, to: 320 },
    ]
    expect(await valuesOf(names, ranges)).toEqual([...values(0, 137, 303), ...values(1, 0, 320)].sort())
    expect(await groups()).toBe(before)
  })

  it('passes over what was removed meanwhile, and says what stands still', { timeout: 60_000 }, async () => {
    const names = await ownNames()
    const topic = await topicWith(names, [300])
    await removeBefore(names, topic, 210)
    expect(await valuesOf(names, [{ topic, partition: 0, from: 5, to: 300 }])).toEqual(values(0, 210, 300))
    await expect(valuesOf(names, [{ topic, partition: 0, from: 290, to: 301 }])).rejects.toThrow('Nothing came from')
  })

  it('ends with the error of whom it hands records to', async () => {
    const names = await ownNames()
    const topic = await topicWith(names, [10])
    const range = { topic, partition: 0, from: 0, to: 10 }
    await expect(
      readRanges(names.kafka, [range], ({ offset }) => {
        if (offset === 4) throw new Error('no more')
      }),
    ).rejects.toThrow('no more')
    expect(await mayRead(names.kafka, topic)).toBe(true)
  })
})
