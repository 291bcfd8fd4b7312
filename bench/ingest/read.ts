/** read.ts BROKERS TOPIC RECORDS fetch|text|parse: the bare loop that ingest is compared with, and its parts. */
import kafkajs from 'kafkajs'
import { startCost } from '../harness/child.ts'
import { readWhole } from '../harness/consumer.ts'

const [brokers, topic, records, mode] = process.argv.slice(2) as [string, string, string, 'fetch' | 'text' | 'parse']
// KafkaJS as it comes: the worker's own client decodes in another way
const kafka = new kafkajs.Kafka({ brokers: brokers.split(','), clientId: 'bench', logLevel: kafkajs.logLevel.NOTHING })
let seen = 0
const cost = startCost()
await readWhole(kafka, { topic, records: Number(records) }, ({ messages }) => {
  if (mode === 'fetch') for (const { value } of messages) seen += value!.length
  else if (mode === 'text') for (const { value } of messages) seen += value!.toString().length
  else for (const { value } of messages) seen += JSON.parse(value!.toString()) === null ? 0 : 1
})
console.log(JSON.stringify(cost(Number(records), { seen })))
process.exit(0)
