import { constants, createReadStream } from 'node:fs'
import { access } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { SentinelError } from '../errors.ts'
import { formatOfFile, type ImportFormat, type ImportOptions, importFormats, importRows } from '../import/import.ts'
import { createKafka } from '../io/kafka/client.ts'
import { RawProducer, type RawRecord } from '../io/kafka/raw-producer.ts'
import { offsetRanges, withAdmin } from '../io/kafka/topics.ts'
import { type CommandContext, defineCommand } from './args.ts'
import { kafkaConnection } from './connections.ts'
import { load } from './load.ts'

const flags = {
  file: { type: 'text', value: 'PATH', required: true, description: 'The file; - for standard input' },
  topic: { type: 'text', value: 'TOPIC', required: true, description: 'Where to' },
  format: {
    type: 'text',
    value: 'FORMAT',
    choices: importFormats,
    description: 'By the ending of the file where absent',
  },
  rate: { type: 'number', value: 'N', min: 0.1, description: 'Records a second; as fast as it goes where absent' },
  partition: {
    type: 'integer',
    value: 'N',
    min: 0,
    description: 'All into this one: keeps their order; else spread in turn',
  },
  create: { type: 'integer', value: 'PARTITIONS', min: 1, description: 'Make the topic where it is missing' },
  'time-column': { type: 'text', value: 'NAME', description: 'CSV: column of the event time' },
  'value-column': {
    type: 'text',
    value: 'NAME',
    description: 'CSV: column of the value; value, or the only other one',
  },
  name: { type: 'text', value: 'NAME', description: 'CSV: name of the metric; the value column where absent' },
  entity: { type: 'text', value: 'NAME', description: 'CSV: what the metric is of' },
  delimiter: { type: 'text', value: 'CHAR', description: 'CSV: between cells; a comma where absent' },
} as const

/** Streams a file into a topic. */
export const produce = defineCommand({
  name: 'produce',
  summary: 'Stream a CSV, NDJSON or text file of any size into a topic',
  description:
    'CSV rows become metric points {name, value, time, entity, labels}; lines of NDJSON and text go as they are. Rows that cannot be read are reported with their line and not sent.',
  flags,
  positionals: [],
  examples: [
    { line: 'sentinel produce --file requests.ndjson --topic logs', what: 'as fast as it goes' },
    {
      line: 'sentinel produce --file cpu.csv --topic metrics --time-column timestamp --name cpu',
      what: 'a metric series',
    },
    {
      line: 'sentinel produce --file - --format text --topic syslog --rate 100 < /var/log/syslog',
      what: 'slowly, from a pipe',
    },
  ],
  exitCodes: { 1: 'some rows could not be read; the others were sent' },
  run,
})

const chunkRecords = 500
const badShownMax = 20

async function run(context: CommandContext<typeof flags>): Promise<number> {
  const { flags: given, terminal, signal } = context
  const loaded = await load(context)
  const options = importOptions(given)
  const stream = await openFile(given.file)
  const kafka = createKafka(kafkaConnection(loaded), () => {})
  const partitions = await topicPartitions(kafka, given)
  const producer = new RawProducer(kafka)
  await producer.connect()
  const progress = terminal.progress({ label: given.topic, unit: 'records' })
  const startedMs = performance.now()
  let sent = 0
  let bad = 0
  let chunk: RawRecord[] = []
  const flush = async () => {
    await producer.send(chunk)
    sent += chunk.length
    chunk = []
    progress.update(sent)
    if (given.rate === undefined) return
    const aheadMs = (sent / given.rate) * 1000 - (performance.now() - startedMs)
    if (aheadMs > 0) await pause(aheadMs, undefined, { signal }).catch(() => {})
  }
  try {
    const chunkSize =
      given.rate === undefined ? chunkRecords : Math.max(1, Math.min(chunkRecords, Math.round(given.rate / 5)))
    for await (const row of importRows(stream, options)) {
      if (signal.aborted) break
      if (row.kind === 'bad') {
        if (++bad <= badShownMax) terminal.warn(`line ${row.line}: ${row.reason}`)
        continue
      }
      chunk.push({
        topic: given.topic,
        partition: given.partition ?? (sent + chunk.length) % partitions,
        key: null,
        value: row.value,
      })
      if (chunk.length >= chunkSize) await flush()
    }
    await flush()
  } finally {
    progress.finish()
    await producer.disconnect()
  }
  terminal.print(
    `${sent.toLocaleString('en')} records to ${given.topic}${bad === 0 ? '' : `; ${bad} rows could not be read and were not sent`}`,
  )
  if (signal.aborted) return 130
  return bad === 0 ? 0 : 1
}

function importOptions(given: CommandContext<typeof flags>['flags']): ImportOptions {
  const format = (given.format as ImportFormat | undefined) ?? formatOfFile(given.file)
  if (format === undefined)
    throw new SentinelError(
      'USAGE',
      `--format is missing: the name ${given.file} does not tell whether it is ${importFormats.join(', ')}`,
    )
  if (format !== 'csv') return { format }
  const time = given['time-column']
  if (time === undefined)
    throw new SentinelError(
      'USAGE',
      'CSV needs --time-column: the column that holds the event time. To send its lines as they are, say --format text.',
    )
  const columns = { time, value: given['value-column'], name: given.name, entity: given.entity }
  return { format, columns, ...(given.delimiter === undefined ? {} : { delimiter: given.delimiter }) }
}

async function openFile(path: string): Promise<AsyncIterable<Uint8Array>> {
  if (path === '-') return process.stdin as AsyncIterable<Uint8Array>
  try {
    await access(path, constants.R_OK)
    return createReadStream(path) as AsyncIterable<Uint8Array>
  } catch (cause) {
    throw new SentinelError('INPUT_UNREADABLE', `${path} cannot be read: ${(cause as Error).message}`, { cause })
  }
}

async function topicPartitions(
  kafka: ReturnType<typeof createKafka>,
  given: CommandContext<typeof flags>['flags'],
): Promise<number> {
  return withAdmin(kafka, async (admin) => {
    const isThere = (await admin.listTopics()).includes(given.topic)
    if (!isThere && given.create === undefined) {
      const text = `There is no topic ${given.topic}. \`--create 1\` makes it with one partition.`
      throw new SentinelError('NOT_FOUND', text)
    }
    const count = isThere ? (await offsetRanges(admin, given.topic))!.length : given.create!
    if (given.partition !== undefined && given.partition >= count) {
      const partitions = count === 1 ? '1 partition' : `${count} partitions`
      const has = isThere ? 'has' : 'would be made with'
      const text = `--partition ${given.partition}: ${given.topic} ${has} ${partitions}, counted from 0`
      throw new SentinelError('USAGE', text)
    }
    if (!isThere) {
      await admin.createTopics({ topics: [{ topic: given.topic, numPartitions: count }], waitForLeaders: true })
    }
    return count
  })
}
