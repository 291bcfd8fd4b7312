/** What brokers, topics and the database do to a running worker, one thing at a time. */
import { open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { brokerTopic } from '../../stream/contract/topics.ts'
import { createKafka } from '../../stream/io/kafka/client.ts'
import { RawProducer } from '../../stream/io/kafka/raw-producer.ts'
import { createTopics } from '../../stream/io/kafka/topics.ts'
import { type Cluster, startCluster } from './cluster.ts'
import { Group } from './group.ts'
import { buildWorker, type WorkerProcess } from './worker-process.ts'

const outageMs = 1_000 * Number(process.env['SENTINEL_CHAOS_OUTAGE'] ?? 20)
const patienceMs = 90_000

let cluster: Cluster
let workerFile: string

beforeAll(async () => {
  workerFile = await buildWorker()
  cluster = await startCluster({ brokers: 1, report: (line) => console.log(`chaos: ${line}`) })
}, 300_000)

afterAll(() => cluster?.stop(), 60_000)

afterEach(() => {
  for (const proxy of [cluster.databaseProxy, ...cluster.brokerProxies]) proxy.heal()
})

async function started(seed: number, on: Cluster = cluster): Promise<Group> {
  const { direct, environment, replicationFactor } = on
  const group = await Group.create({ seed, workerFile, direct, environment, replicationFactor, idle: false, speed: 20 })
  onTestFinished(() => group.remove())
  return group
}

/** A worker that is not left behind. */
function owned(worker: WorkerProcess): WorkerProcess {
  onTestFinished(() => worker.kill())
  return worker
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const untilMs = performance.now() + patienceMs
  while (!(await holds())) {
    if (performance.now() > untilMs) throw new Error(`waited ${patienceMs / 1000} s for ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
}

/** Appends until its disk is full, then leaves it so for a moment: what else is on it gives some back now and then. */
async function fill(path: string): Promise<void> {
  const file = await open(path, 'a')
  try {
    for (const bytes of [1 << 20, 1 << 12]) {
      const zeros = Buffer.alloc(bytes)
      while (await file.write(zeros).then(({ bytesWritten }) => bytesWritten === bytes, noSpace)) {}
    }
  } finally {
    await file.close()
  }
  await new Promise((resolve) => setTimeout(resolve, 100))
}

function noSpace(error: NodeJS.ErrnoException): false {
  if (error.code === 'ENOSPC') return false
  throw error
}

async function ready(worker: WorkerProcess): Promise<void> {
  if (!(await worker.until(() => worker.isReady, patienceMs))) throw new Error(`it is not ready:\n${worker.tail()}`)
}

async function says(worker: WorkerProcess, text: string): Promise<void> {
  if (!(await worker.until(() => worker.tail().includes(text), patienceMs)))
    throw new Error(`it does not say ${text}:\n${worker.tail()}`)
}

/** Feeds so many records and waits until they are all sent. */
async function fed(group: Group, count: number): Promise<void> {
  const sent = group.sent + count
  group.allow(count)
  await until(`${count} records to be sent`, async () => group.sent >= sent)
}

async function isAsUndisturbed(group: Group): Promise<void> {
  const { verdict } = await group.finish()
  expect(verdict.wrong).toEqual([])
  expect(verdict.repeated).toEqual([])
}

describe('a worker', { timeout: 600_000 + outageMs }, () => {
  it('goes on when the database is away, up to a bound, waits then, and drops nothing', async () => {
    const group = await started(1)
    const unstoredRecordsMax = 200
    const worker = owned(group.worker([], { cadence: { unstoredRecordsMax } }))
    await ready(worker)
    group.feed()
    await fed(group, 600)
    await until('measurements', async () => (await group.count('measurements')) > 0)
    cluster.databaseProxy.refuses = true
    cluster.databaseProxy.cut()
    const before = await group.count('measurements')
    await fed(group, 1_000)
    await until('more measurements', async () => (await group.count('measurements')) > before)
    await fed(group, 3_000)
    // ingest needs no database: panes pile up, while detect stands where the bound is
    await until('panes beyond the bound', async () => (await group.count('panes')) > 5 * unstoredRecordsMax)
    const held = await group.count('measurements')
    await fed(group, 1_000)
    await until('still more panes', async () => (await group.count('panes')) > 7 * unstoredRecordsMax)
    expect(await group.count('measurements')).toBe(held)
    expect(worker.hasEnded).toBe(false)
    cluster.databaseProxy.heal()
    await until('detection to go on', async () => (await group.count('measurements')) > held)
    await worker.terminate()
    await isAsUndisturbed(group)
  })

  it('told to stop while the database is silent is out of its groups within 5 s, and loses nothing', async () => {
    const group = await started(2)
    const worker = owned(group.worker())
    await ready(worker)
    group.feed()
    await fed(group, 800)
    await until('measurements', async () => (await group.count('measurements')) > 0)
    cluster.databaseProxy.silent = true
    await fed(group, 200)
    const { code, tookMs } = await worker.terminate()
    cluster.databaseProxy.heal()
    console.log(`chaos: SIGTERM to the end, the database silent: ${(tookMs / 1000).toFixed(1)} s`)
    expect(code).toBe(0)
    expect(tookMs).toBeLessThan(5_000)
    await isAsUndisturbed(group)
  })

  it(`survives its only broker being away for ${outageMs / 1000} s`, async () => {
    const group = await started(3)
    const worker = owned(group.worker())
    await ready(worker)
    group.feed()
    await fed(group, 800)
    await until('measurements', async () => (await group.count('measurements')) > 0)
    await cluster.brokers[0]!.kill()
    await new Promise((resolve) => setTimeout(resolve, outageMs))
    await cluster.brokers[0]!.start(true)
    const before = await group.count('measurements')
    await fed(group, 800)
    await until('work to go on', async () => (await group.count('measurements')) > before)
    expect(worker.hasEnded, worker.tail()).toBe(false)
    await worker.terminate()
    await isAsUndisturbed(group)
  })

  it('stops where the broker refuses a record as too large, says what to raise, and goes on when that is done', async () => {
    const group = await started(4)
    const worker = owned(group.worker())
    await ready(worker)
    const limit = (bytes: number) =>
      group.admin.alterConfigs({
        validateOnly: false,
        resources: [
          {
            type: 2,
            name: brokerTopic('panes', group.prefix),
            configEntries: [
              { name: 'max.message.bytes', value: String(bytes) },
              { name: 'message.timestamp.type', value: 'LogAppendTime' },
            ],
          },
        ],
      })
    await limit(600)
    group.feed()
    await fed(group, 400)
    const { code } = await worker.ended
    expect([code, worker.tail().includes('raise max.message.bytes')], worker.tail()).toEqual([70, true])
    await limit(1_048_588)
    await isAsUndisturbed(group)
  })

  it('is loud when retention removes what it has not read, running or stopped, and goes on', async () => {
    const group = await started(5)
    const worker = owned(group.worker())
    await ready(worker)
    const source = group.loaded.config.sources.find(({ name }) => name === 'more')!
    group.feed()
    await fed(group, 600)
    await until('panes', async () => (await group.count('panes')) > 20)
    worker.signal('SIGSTOP')
    await fed(group, 600)
    await group.removeAllBut(source.topic, 10)
    worker.signal('SIGCONT')
    await says(worker, 'STAGE_OFFSET_RESET')
    await fed(group, 200)
    await worker.terminate()
    await fed(group, 600)
    await group.removeAllBut(source.topic, 10)
    const again = owned(group.worker())
    await ready(again)
    await says(again, 'STAGE_OFFSET_RESET')
    expect((await again.terminate()).code).toBe(0)
  })

  it('is loud when a source’s topic is deleted and made again under it, and reads the new one', async () => {
    const group = await started(6)
    const worker = owned(group.worker())
    await ready(worker)
    const source = group.loaded.config.sources.find(({ name }) => name === 'more')!
    group.feed()
    await fed(group, 1_000)
    await until('panes', async () => (await group.count('panes')) > 20)
    await group.stopFeeding()
    await group.admin.deleteTopics({ topics: [source.topic] })
    await until('the topic to be gone', async () => !(await group.admin.listTopics()).includes(source.topic))
    await createTopics(group.admin, [{ topic: source.topic, numPartitions: 1 }])
    await group.append([{ topic: source.topic, partition: 0, key: null, value: Buffer.from('{"time":') }])
    await says(worker, 'STAGE_OFFSET_RESET')
    // its own record at offset 0 is a dead letter anew
    const deadLetters = await group.count('dead-letters')
    await group.append([{ topic: source.topic, partition: 0, key: null, value: Buffer.from('{"time":') }])
    await until('the new topic to be read', async () => (await group.count('dead-letters')) > deadLetters)
  })

  it('reads partitions that are added to a source while it runs', async () => {
    const group = await started(7)
    const worker = owned(group.worker())
    await ready(worker)
    const source = group.loaded.config.sources.find(({ name }) => name === 'logs')!
    group.feed()
    await fed(group, 600)
    await group.admin.createPartitions({ topicPartitions: [{ topic: source.topic, count: 3 }] })
    const deadLetters = await group.count('dead-letters')
    await group.stopFeeding()
    // one that knows of the partition: a producer of before would lose the record without a word
    const producer = new RawProducer(createKafka({ ...cluster.direct, clientId: 'sentinel-chaos' }, () => {}))
    await producer.connect()
    await producer.send([{ topic: source.topic, partition: 2, key: null, value: Buffer.from('{"time":') }])
    await producer.disconnect()
    await until('the new partition to be read', async () => (await group.count('dead-letters')) > deadLetters)
    expect(worker.hasEnded).toBe(false)
    expect((await worker.terminate()).code).toBe(0)
  })

  it('shares its work with two more, and takes it back', async () => {
    const group = await started(8)
    const first = owned(group.worker())
    await ready(first)
    group.feed()
    await fed(group, 600)
    const others = [owned(group.worker()), owned(group.worker())]
    await Promise.all(others.map(ready))
    await fed(group, 600)
    await until('measurements', async () => (await group.count('measurements')) > 0)
    for (const other of others) expect((await other.terminate()).code, other.tail()).toBe(0)
    await fed(group, 600)
    expect((await first.terminate()).code, first.tail()).toBe(0)
    await isAsUndisturbed(group)
  })
})

describe('a worker whose only broker has a full disk', { timeout: 600_000 }, () => {
  it.skipIf(process.getuid?.() !== 0)('waits for it, and loses and repeats nothing', async () => {
    const full = await startCluster({ brokers: 1, diskMb: 256, report: (line) => console.log(`chaos: ${line}`) })
    onTestFinished(() => full.stop(), 60_000)
    const [broker] = full.brokers
    const group = await started(9, full)
    const worker = owned(group.worker())
    await ready(worker)
    group.feed()
    await fed(group, 800)
    await until('measurements', async () => (await group.count('measurements')) > 0)
    const before = await group.count('measurements')
    const ballast = join(broker!.disk!, 'ballast')
    group.allow(4_000)
    // a broker that can write to none of its disks ends itself
    const ended = broker!.ended()
    while (!(await Promise.race([ended.then(() => true), fill(ballast).then(() => false)])));
    await new Promise((resolve) => setTimeout(resolve, 5_000))
    await rm(ballast)
    await broker!.start(true)
    await until('work to go on', async () => (await group.count('measurements')) > before)
    expect(worker.hasEnded, worker.tail()).toBe(false)
    await until('all records to be sent', async () => group.sent >= 4_800)
    await worker.terminate()
    await isAsUndisturbed(group)
  })
})

describe('a worker whose brokers replicate slower than it waits', { timeout: 600_000 }, () => {
  it('writes nothing twice: what nobody can read yet is not taken for unwritten', async () => {
    const pair = await startCluster({ brokers: 2, report: (line) => console.log(`chaos: ${line}`) })
    onTestFinished(() => pair.stop(), 60_000)
    const group = await started(10, pair)
    const worker = owned(group.worker())
    await ready(worker)
    group.feed()
    await fed(group, 800)
    await until('measurements', async () => (await group.count('measurements')) > 0)
    // longer than a request waits for its answer, shorter than a follower may lag before it is left out
    for (const proxy of pair.replicationProxies) proxy.silent = true
    group.allow(4_000)
    await new Promise((resolve) => setTimeout(resolve, 24_000))
    for (const proxy of pair.replicationProxies) proxy.heal()
    await until('all records to be sent', async () => group.sent >= 4_800)
    await worker.terminate()
    await isAsUndisturbed(group)
  })
})
