/** work.ts ENTITIES PANES: the topology in memory, forgetting what all have read. */
import { configurationDigests, detectConfig, respondConfig, sourceConfig } from '../../stream/contract/configuration.ts'
import { topicNames } from '../../stream/contract/topics.ts'
import { type LocalOptions, LocalPipeline } from '../../stream/runtime/local.ts'
import { createRandom } from '../../stream/simulate/random.ts'
import { startCost } from '../harness/child.ts'
import { predictionEvent } from '../traffic.ts'

const [entities, panes] = process.argv.slice(2).map(Number) as [number, number]
const startMs = Date.UTC(2026, 2, 1)
const paneMs = 10_000
const eventsAPane = 10
const sources = [sourceConfig.parse({ name: 'predictions', format: 'prediction' })]
const config = { sources, detect: detectConfig.parse({}), respond: respondConfig.parse({}) }
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
const quarters: number[] = []
const collect = (globalThis as { gc?: () => void }).gc!
const cost = startCost()
let records = 0
for (let pane = 0; pane < panes; pane++) {
  for (let event = 0; event < eventsAPane; event++) {
    for (let entity = 0; entity < entities; entity++) {
      const timeMs = startMs + pane * paneMs + Math.floor(((event + entity / entities) * paneMs) / eventsAPane)
      const value = Buffer.from(predictionEvent({ random, entity, index: records, timeMs }))
      local.log.append(topic, 0, { key: null, value, timestampMs: timeMs })
      if (++records % 5_000 === 0) local.pump()
    }
  }
  local.pump()
  if ((pane + 1) % Math.ceil(panes / 4) !== 0 && pane !== panes - 1) continue
  collect()
  const { heapUsed, external } = process.memoryUsage()
  if (quarters.length < 4) quarters.push((heapUsed + external) / 1_048_576)
}
console.log(JSON.stringify(cost(records, { heapMb: quarters })))
process.exit(0)
