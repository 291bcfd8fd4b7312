import { open } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import { SentinelError } from '../errors.ts'
import {
  formatOfFile,
  type ImportedRow,
  type ImportFormat,
  type ImportOptions,
  importFormats,
  importRows,
} from '../import/import.ts'
import { createKafka, type Kafka } from '../io/kafka/client.ts'
import { RawProducer, type RawRecord } from '../io/kafka/raw-producer.ts'
import { createTopics, offsetRanges, withAdmin } from '../io/kafka/topics.ts'
import { type CommandContext, defineCommand } from './args.ts'
import { kafkaConnection } from './connections.ts'
import { load } from './load.ts'
import { rowBatches } from './row-batches.ts'

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
    'CSV rows become metric points {name, value, time, entity, labels}; lines of NDJSON and text go as they are. Rows that cannot be read are reported with their line and not sent. A pipe is followed: what comes slowly is sent within a moment. Interrupted, it sends what it has read and says up to which line.',
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

const batchRows = 500
/** With a rate: what is sent at once is a part of a second's. */
const batchesASecond = 5
/** So long a row that was read waits for others: who follows a pipe sees it soon. */
const batchWaitMs = 200
const badShownMax = 20

async function run(context: CommandContext<typeof flags>): Promise<number> {
  const { flags: given, terminal, signal } = context
  const loaded = await load(context)
  const options = importOptions(given)
  const stream = await openFile(given.file)
  const rowsMax =
    given.rate === undefined ? batchRows : Math.max(1, Math.min(batchRows, Math.round(given.rate / batchesASecond)))
  const rows = importRows(chunksOf(stream, given.file), options)
  const batches = rowBatches(rows, { rowsMax, waitMs: batchWaitMs, signal })
  try {
    const kafka = createKafka(kafkaConnection(loaded), () => {})
    const topic = await findTopic(kafka, given)
    // what cannot be read, or lacks a column, leaves no topic behind
    const first = await batches.next()
    const isStoppedBefore = signal.aborted && first.done === true
    if (!topic.isThere && !isStoppedBefore) await makeTopic(kafka, { topic: given.topic, partitions: topic.partitions })
    const { sent, bad, line } = isStoppedBefore
      ? { sent: 0, bad: 0, line: 0 }
      : await send(context, { kafka, first, batches, partitions: topic.partitions })
    const unread = bad === 0 ? '' : `; ${bad} rows could not be read and were not sent`
    const upTo = signal.aborted ? `; interrupted${line === 0 ? '' : ` after line ${line}`}` : ''
    terminal.print(`${sent.toLocaleString('en')} records to ${given.topic}${unread}${upTo}`)
    if (signal.aborted) return 130
    return bad === 0 ? 0 : 1
  } finally {
    stream.destroy() // a pipe that is silent would hold the process
  }
}

interface Input {
  readonly kafka: Kafka
  readonly first: IteratorResult<readonly ImportedRow[]>
  /** What follows the first. */
  readonly batches: AsyncIterator<readonly ImportedRow[]>
  /** Of the topic (count). */
  readonly partitions: number
}

/** @returns how many rows were sent, how many could not be read, and the line that the last of them began on */
async function send(context: CommandContext<typeof flags>, { kafka, first, batches, partitions }: Input) {
  const { flags: given, terminal, signal } = context
  const producer = new RawProducer(kafka)
  await producer.connect()
  const progress = terminal.progress({ label: given.topic, unit: 'records' })
  const startedMs = performance.now()
  let [sent, bad, line] = [0, 0, 0]
  try {
    for (let step = first; step.done !== true; step = await batches.next()) {
      const records: RawRecord[] = []
      for (const row of step.value) {
        if (row.kind === 'bad') {
          if (++bad <= badShownMax) terminal.warn(`line ${row.line}: ${row.reason}`)
          continue
        }
        const partition = given.partition ?? (sent + records.length) % partitions
        records.push({ topic: given.topic, partition, key: null, value: row.value })
      }
      await producer.send(records)
      sent += records.length
      line = step.value.at(-1)!.line
      progress.update(sent)
      const aheadMs = given.rate === undefined ? 0 : (sent / given.rate) * 1000 - (performance.now() - startedMs)
      if (aheadMs > 0) await pause(aheadMs, undefined, { signal }).catch(() => {})
    }
  } finally {
    progress.finish()
    await producer.disconnect()
  }
  return { sent, bad, line }
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

/** @throws INPUT_UNREADABLE */
async function openFile(path: string): Promise<Readable> {
  if (path === '-') return process.stdin
  try {
    return (await open(path)).createReadStream()
  } catch (cause) {
    throw unreadable(path, cause)
  }
}

/** @throws INPUT_UNREADABLE also for what can be opened and not read, such as a folder */
async function* chunksOf(stream: Readable, path: string): AsyncGenerator<Uint8Array> {
  try {
    yield* stream as AsyncIterable<Uint8Array>
  } catch (cause) {
    throw unreadable(path, cause)
  }
}

function unreadable(path: string, cause: unknown): SentinelError {
  const { code, message } = cause as NodeJS.ErrnoException
  const why = code === 'EISDIR' ? 'it is a folder' : message
  const name = path === '-' ? 'standard input' : path
  return new SentinelError('INPUT_UNREADABLE', `${name} cannot be read: ${why}`, { cause })
}

/**
 * @returns whether the topic is there, and the partitions that it has or would be made with (count)
 * @throws NOT_FOUND, USAGE for a partition that it has not
 */
async function findTopic(kafka: Kafka, given: CommandContext<typeof flags>['flags']) {
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
    return { isThere, partitions: count }
  })
}

/** @throws USAGE for a name that the broker does not take */
function makeTopic(kafka: Kafka, { topic, partitions }: { topic: string; partitions: number }): Promise<void> {
  return withAdmin(kafka, (admin) => createTopics(admin, [{ topic, numPartitions: partitions }]))
}
