/**
 * Ingest by partitions of the source topic and by processes that share them.
 *
 *   npx tsx bench/scale/run.ts [--records 500000] [--partitions 1,2,4,8] [--processes 1,2]
 *
 * The same 350-byte prediction events as `bench/ingest`, filled into topics of so many partitions. Each process is
 * `sentinel run --roles ingest`; they start at once and share one group. The time runs from when each has taken records to
 * when none is behind; records/s are those folded in between, CPU is that of all processes from their start. What the
 * broker needs on the same cores is not counted and not kept away: the figures are of the machine as a whole.
 *
 * After each run the panes on the topic are compared with what a plain loop over the records counts: each closed one has to
 * be there once, and none besides; a rebalance may send some again as they were.
 */
import { generateKeyPairSync } from 'node:crypto'
import { parseArgs } from 'node:util'
import { createKafka } from '../../stream/io/kafka/client.ts'
import { withAdmin } from '../../stream/io/kafka/topics.ts'
import { provideBroker } from '../harness/broker.ts'
import { provideDatabase } from '../harness/database.ts'
import { ownPrefix } from '../harness/plan.ts'
import { deleteTopics, fillTopic } from '../harness/topic.ts'
import { BenchWorker, type Metrics } from '../harness/worker.ts'
import { comparePanes } from '../ingest/compare.ts'
import { defaultTraffic, predictions } from '../traffic.ts'

const { values } = parseArgs({
  options: {
    records: { type: 'string', default: '500000' },
    partitions: { type: 'string', default: '1,2,4,8' },
    processes: { type: 'string', default: '1,2' },
  },
})
const records = Number(values.records)
const latenessMs = 1_000
const lookEveryMs = 100
const withinMs = 300_000
const brokers = await provideBroker()
const signingKey = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
const kafka = createKafka({ brokers, clientId: 'bench' }, () => {})

const head = ['partitions', 'processes', 'records/s', 'CPU µs a record', 'records of each process']
const lines = [head, head.map(() => '---')]
for (const partitions of values.partitions.split(',').map(Number)) {
  const topic = `bench-scale-${partitions}-${records}`
  const input = predictions({ ...defaultTraffic, records })
  await fillTopic(kafka, { brokers, topic, partitions, records, lines: input })
  for (const processes of values.processes.split(',').map(Number)) {
    const measured = await run({ topic, processes })
    lines.push([partitions, processes, ...measured].map(String))
    console.error(lines.at(-1)!.join('  '))
  }
}
console.log(`\n${records} records\n\n${lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n')}`)
process.exit(0)

async function run({ topic, processes }: { topic: string; processes: number }): Promise<string[]> {
  const prefix = ownPrefix('scale')
  const database = await provideDatabase()
  const workers: BenchWorker[] = []
  try {
    const start = () =>
      BenchWorker.start({
        brokers,
        databaseUrl: database.url,
        configuration: {
          sources: [{ name: 'predictions', topic, format: 'prediction', lateness: `${latenessMs}ms` }],
          ...{ topics: { prefix }, database: { schema: database.schema } },
        },
        roles: ['ingest'],
        signingKey,
      })
    const started = await Promise.allSettled(Array.from({ length: processes }, start))
    for (const one of started) if (one.status === 'fulfilled') workers.push(one.value)
    for (const one of started) if (one.status === 'rejected') throw one.reason
    const measured = await Promise.race([watch(workers), ...workers.map((worker) => worker.died)])
    // a stop sends what is made
    for (const worker of workers.splice(0)) await worker.stop()
    console.error(await comparePanes(kafka, { topic, records, prefix, latenessMs, mayRepeat: processes > 1 }))
    return measured
  } finally {
    for (const worker of workers) await worker.stop()
    await database.end()
    await withAdmin(kafka, (admin) => deleteTopics(admin, prefix))
  }
}

interface Look {
  readonly atMs: number
  readonly folded: number
}

/** @throws when it does not end in time */
async function watch(workers: readonly BenchWorker[]): Promise<string[]> {
  let first: Look | undefined
  for (const giveUpMs = performance.now() + withinMs; performance.now() < giveUpMs; ) {
    const looks = await Promise.all(workers.map((worker) => worker.metrics()))
    const taken = looks.map((metrics) => metrics.sum('sentinel_records_read_total', { stage: 'ingest' }))
    const now: Look = { atMs: performance.now(), folded: sum(taken) }
    if (taken.every((count) => count > 0)) first ??= now
    const behind = sum(looks.map((metrics) => metrics.sum('sentinel_lag_records', { stage: 'ingest' })))
    if (first !== undefined && now.folded >= records && behind === 0) {
      const perSecond = ((now.folded - first.folded) / (now.atMs - first.atMs)) * 1_000
      const cpuUs = sum(looks.map(cpuSeconds)) * 1e6
      return [perSecond.toFixed(0), (cpuUs / now.folded).toFixed(2), taken.join(', ')]
    }
    await new Promise((resolve) => setTimeout(resolve, lookEveryMs))
  }
  throw new Error(`the processes are not at the end after ${withinMs / 1_000} s`)
}

function cpuSeconds(metrics: Metrics): number {
  return metrics.sum('process_cpu_seconds_total')
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
