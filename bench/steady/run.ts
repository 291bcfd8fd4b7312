/**
 * Memory and CPU of the whole worker (ingest, detect, respond, store, API) under a steady load.
 *
 *   npx tsx bench/steady/run.ts [--minutes 60] [--rate 1000] [--entities 1000] [--warm-up 10]
 *
 * Prediction events of 350 bytes, as many for each entity, come at the time that they carry; an entity has its partition
 * of the 4. The worker runs as `sentinel run` does, with TimescaleDB. Windows are short, so that all that state may hold
 * is there when the warm-up ends: 2 min of window, 4 min of baseline, references learned in 4 min, measured every 30 s.
 * Every 10 s its metrics are asked for its resident memory, its heap and its CPU time. Besides the heap as it is, there is
 * its least value in each minute: what was there after a collection.
 *
 * Fails where a record that was sent is not accepted, or where the store does not hold as many measurements as the topic.
 */
import { parseArgs } from 'node:util'
import type { Kafka } from '../../stream/io/kafka/client.ts'
import { offsetRanges, withAdmin } from '../../stream/io/kafka/topics.ts'
import { withClient } from '../../stream/io/postgres/pool.ts'
import { createRandom } from '../../stream/simulate/random.ts'
import { sendLoad } from '../harness/pace.ts'
import type { BenchWorker } from '../harness/worker.ts'
import { inWorld, type World } from '../harness/world.ts'
import { predictionEvent } from '../traffic.ts'
import { report, type Sample } from './report.ts'

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '60' },
    rate: { type: 'string', default: '1000' },
    entities: { type: 'string', default: '1000' },
    'warm-up': { type: 'string' },
  },
})
const minutes = Number(values.minutes)
const rate = Number(values.rate)
const entities = Number(values.entities)
const warmUpMinutes = Number(values['warm-up'] ?? Math.min(10, minutes / 3))
const partitions = 4
const sampleEveryMs = 10_000

await inWorld(
  {
    benchmark: 'steady',
    partitions,
    configuration: (topic) => ({
      sources: [{ name: 'predictions', topic, format: 'prediction', lateness: '2s' }],
      detect: { window: '2m', slide: '30s', baseline: '4m', referencePeriod: '4m', referenceWindows: 2 },
    }),
  },
  run,
)
process.exit(0)

async function run(world: World): Promise<void> {
  const { topic, producer, worker } = world
  const random = createRandom(1, 0)
  const samples: Sample[] = []
  const startedMs = performance.now()
  const look = async () => void samples.push(await sample(worker, startedMs))
  const timer = setInterval(() => void look().catch((error) => console.error(error)), sampleEveryMs)
  try {
    const sent = await sendLoad(producer, {
      rate,
      durationMs: minutes * 60_000,
      record: (index, timeMs) => {
        const entity = index % entities
        const value = Buffer.from(predictionEvent({ random, entity, index, timeMs }))
        return { topic, partition: entity % partitions, key: null, value }
      },
    })
    clearInterval(timer)
    console.log(`\n${minutes} min of ${rate} records/s, ${entities} entities, 4 partitions\n`)
    console.log(report(samples, warmUpMinutes * 60_000))
    await worker.untilTaken(sent, 300_000)
    console.log(await compareOutputs(world, sent))
  } finally {
    clearInterval(timer)
  }
}

async function sample(worker: BenchWorker, startedMs: number): Promise<Sample> {
  const metrics = await worker.metrics()
  const taken: Sample = {
    atMs: performance.now() - startedMs,
    rssMb: metrics.sum('process_resident_memory_bytes') / 1_048_576,
    heapMb: metrics.sum('nodejs_heap_size_used_bytes') / 1_048_576,
    externalMb: metrics.sum('nodejs_external_memory_bytes') / 1_048_576,
    cpuSeconds: metrics.sum('process_cpu_seconds_total'),
    records: worker.accepted(metrics),
    lag: metrics.sum('sentinel_lag_records'),
  }
  const { atMs, rssMb, heapMb, lag } = taken
  if (Math.round(atMs / sampleEveryMs) % 6 === 0) {
    const minute = (atMs / 60_000).toFixed(0)
    console.error(`${minute} min: ${rssMb.toFixed(0)} MB resident, ${heapMb.toFixed(0)} MB heap, ${lag} records behind`)
  }
  return taken
}

/** @returns a line for the report @throws where records or measurements are missing */
async function compareOutputs({ worker, kafka, database, prefix }: World, sent: number): Promise<string> {
  const metrics = await worker.metrics()
  const counts = Object.fromEntries(
    ['accepted', 'rejected', 'late', 'skewed'].map((outcome) => [
      outcome,
      metrics.sum('sentinel_ingest_positions_total', { outcome }),
    ]),
  )
  const { accepted = 0, ...others } = counts
  // what is read again after a rebalance is counted again
  if (accepted < sent || Object.values(others).some((count) => count > 0)) {
    throw new Error(`${sent} records were sent, but ${JSON.stringify(counts)}`)
  }
  const onTopic = await recordsOf(kafka, `${prefix}sentinel.measurements.v1`)
  const { pool, schema } = database
  const stored = await withClient(pool, 'counting', async (client) => {
    const { rows } = await client.query(
      `select (select count(*) from ${schema}.measurements) + (select count(*) from ${schema}.learned_references) as measurements`,
    )
    return Number(rows[0].measurements)
  })
  if (stored !== onTopic) throw new Error(`${onTopic} measurements are on the topic, ${stored} in the table`)
  const incidents = await recordsOf(kafka, `${prefix}sentinel.incidents.v1`)
  const again = accepted - sent
  return `equal: ${sent} records sent and accepted (${again} were read again after rebalances), ${stored} measurements on the topic and stored; ${incidents} versions of incidents`
}

async function recordsOf(kafka: Kafka, name: string): Promise<number> {
  const ranges = (await withAdmin(kafka, (admin) => offsetRanges(admin, name))) ?? []
  return ranges.reduce((sum, { low, high }) => sum + high - low, 0)
}
