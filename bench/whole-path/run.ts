/**
 * The whole path, ingest, detect and respond in one process, beside ingest alone and the bare loop, on the same input.
 *
 *   npx tsx bench/whole-path/run.ts [--records 1000000] [--rounds 2]
 */
import { parseArgs } from 'node:util'
import { createKafka } from '../../stream/io/kafka/client.ts'
import { provideBroker } from '../harness/broker.ts'
import { script } from '../harness/child.ts'
import { interleave, table } from '../harness/pairs.ts'
import { freshPrefix } from '../harness/plan.ts'
import { deleteOwnTopics, fillTopic } from '../harness/topic.ts'
import { defaultTraffic, predictions } from '../traffic.ts'

const { values } = parseArgs({
  options: { records: { type: 'string', default: '1000000' }, rounds: { type: 'string', default: '2' } },
})
const records = Number(values.records)
const brokers = await provideBroker()
const kafka = createKafka({ brokers, clientId: 'bench' }, () => {})
const lines = predictions({ ...defaultTraffic, records })
const { topic } = await fillTopic(kafka, {
  brokers,
  topic: `bench-predictions-${records}`,
  partitions: 4,
  records,
  lines,
})
const given = [brokers.join(','), topic, String(records)]
const work = (...extent: string[]) =>
  script(new URL('../ingest/work.ts', import.meta.url), [...given, freshPrefix(), ...extent])
const read = () => script(new URL('../ingest/read.ts', import.meta.url), [...given, 'parse'])
const runs = await interleave(
  [
    { name: 'bare JSON.parse loop', command: read },
    { name: 'ingest', command: () => work() },
    { name: 'ingest, detect, respond', command: () => work('whole') },
  ],
  Number(values.rounds),
)
console.log(`\n${records} records, 4 partitions, ${values.rounds} rounds\n\n${table(runs)}`)
await deleteOwnTopics(kafka)
process.exit(0)
