/** work.ts ENTITIES RECORDS MINUTES: the topology in memory, forgetting what all have read. */
import { configurationDigests, detectConfig, respondConfig, sourceConfig } from '../../stream/contract/configuration.ts'
import type { IngestTask, JudgingTask } from '../../stream/contract/stage.ts'
import { topicNames } from '../../stream/contract/topics.ts'
import { type LocalOptions, LocalPipeline } from '../../stream/runtime/local.ts'
import { createRandom } from '../../stream/simulate/random.ts'
import { startCost } from '../harness/child.ts'
import { predictionEvent } from '../traffic.ts'

const [entities, records, minutes] = process.argv.slice(2).map(Number) as [number, number, number]
const startMs = Date.UTC(2026, 2, 1)
/** Beyond it nobody would want to follow all: what a flood of names costs under the bounds by default is measured. */
const followedMax = 100_000
const isFlood = entities > followedMax
const bound = isFlood ? {} : { maxEntities: followedMax }
/** As many as all of them take, whatever falls into one pane. */
const cells = isFlood ? {} : { maxCells: 100_000_000 }
const sources = [sourceConfig.parse({ name: 'predictions', format: 'prediction', ...bound, ...cells })]
const config = { sources, detect: detectConfig.parse(bound), respond: respondConfig.parse({}) }
const partitions = Object.fromEntries(topicNames.map((name) => [name, 1])) as unknown as LocalOptions['partitions']
const local = new LocalPipeline({
  pipeline: { ...config, digests: configurationDigests(config) },
  sourcePartitions: { predictions: 1 },
  partitions,
  clock: () => startMs,
  keepOnly: [],
})
const topic = local.sourceTopic('predictions')
const random = createRandom(1, 0)
const memoryMb: number[] = []
const collect = (globalThis as { gc?: () => void }).gc!
const cost = startCost()
for (let index = 0; index < records; index++) {
  const timeMs = startMs + Math.floor((index / records) * minutes * 60_000)
  const value = Buffer.from(predictionEvent({ random, entity: index % entities, index, timeMs }))
  local.log.append(topic, 0, { key: null, value, timestampMs: timeMs })
  if ((index + 1) % 5_000 === 0) local.pump()
  if (index + 1 < (records * (memoryMb.length + 1)) / 4) continue
  local.pump()
  collect()
  const { heapUsed, external } = process.memoryUsage()
  memoryMb.push((heapUsed + external) / 1_048_576)
}
const ingest = local.task('ingest/predictions/0').runner.task as IngestTask
const detect = local.task('detect/0').runner.task as JudgingTask
let leftOut = 0
for (const count of detect.following!.leftOut.values()) leftOut += count
const outcome = { memoryMb, followed: detect.following!.entities, folded: ingest.overflow!.rows, leftOut }
console.log(JSON.stringify(cost(records, outcome)))
process.exit(0)
