/**
 * work.ts BROKERS TOPIC RECORDS PREFIX [whole]: the ingest stage as the worker runs it, from the topic's begin to its end;
 * with `whole` detect and respond too, until both have taken all that ingest closed. Checkpoints stay in memory.
 */
import { configurationDigests, detectConfig, respondConfig, sourceConfig } from '../../stream/contract/configuration.ts'
import { createKafka } from '../../stream/io/kafka/client.ts'
import { KafkaPipeline } from '../../stream/io/kafka/pipeline.ts'
import { ensureIncarnations, ensureTopics, withAdmin } from '../../stream/io/kafka/topics.ts'
import { memoryCheckpointStore } from '../../stream/runtime/checkpoint-store.ts'
import { createTelemetry } from '../../stream/telemetry.ts'
import { startCost } from '../harness/child.ts'
import { plan } from '../harness/plan.ts'

const [brokers, topic, records, prefix, extent] = process.argv.slice(2) as [string, string, string, string, string?]
const kafka = createKafka({ brokers: brokers.split(','), clientId: 'bench' }, () => {})
const sources = [sourceConfig.parse({ name: 'predictions', topic, format: 'prediction' })]
const config = { sources, detect: detectConfig.parse({}), respond: respondConfig.parse({}) }
const pipelineConfig = { ...config, digests: configurationDigests(config) }
const topics = plan(prefix)
await withAdmin(kafka, (admin) => ensureTopics(admin, topics))
const incarnations = await ensureIncarnations(kafka, topics, [])

let left = Number(records)
let finish!: () => void
const finished = new Promise<void>((resolve) => {
  finish = resolve
})
const telemetry = createTelemetry({ log: 'json', level: 'warn', write: (line) => process.stderr.write(line) })
const cost = startCost()
const pipeline = new KafkaPipeline({
  kafka,
  pipeline: pipelineConfig,
  plan: topics,
  incarnations,
  groupPrefix: 'bench',
  roles: extent === 'whole' ? ['ingest', 'detect', 'respond'] : ['ingest'],
  checkpoints: memoryCheckpointStore(),
  sink: null,
  clock: Date.now,
  onFatal: (error) => {
    console.error(error)
    process.exit(1)
  },
  telemetry: {
    ...telemetry,
    batch: (batch) => {
      telemetry.batch(batch)
      if (batch.stage === 'ingest') left -= batch.records
      if (left <= 0) finish()
    },
  },
  observe: (emission) => telemetry.emitted(emission.topic, emission.body),
})
await pipeline.start()
await finished
if (extent === 'whole') await takenByAll()
const counts = { accepted: 0, rejected: 0, late: 0, skewed: 0 }
for (const { runner } of pipeline.ingest().values())
  for (const outcome of ['accepted', 'rejected', 'late', 'skewed'] as const)
    counts[outcome] += runner.task.counts[outcome]
console.log(JSON.stringify(cost(Number(records), counts)))
process.exit(0)

/** Waits until respond has reached the last end of a pane that ingest passed. */
async function takenByAll(): Promise<void> {
  const source = sources[0]!
  const clocks = [...pipeline.ingest().values()].map(({ runner }) => runner.task.watermarkMs ?? Number.NaN)
  const lastMs = Math.floor(Math.min(...clocks.filter((ms) => !Number.isNaN(ms))) / source.pane) * source.pane
  while ((pipeline.frontierMs ?? Number.NEGATIVE_INFINITY) < lastMs)
    await new Promise((resolve) => setTimeout(resolve, 20))
}
