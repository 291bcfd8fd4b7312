/**
 * From the record to the incident, beyond pane and lateness.
 *
 *   npx tsx bench/latency/run.ts [--rate 5000] [--entities 110] [--lead 20]
 *
 * Log lines of services come at the time that they carry, each service in all 4 partitions; panes and slides of 1 s, a
 * lateness of 1 s. The services fail one after the other: in every second pane another one, for 5 panes. Each failure has
 * to open an incident of its own at the end of its first pane; anything else ends the run without figures.
 *
 * The latency of an incident is the time from when it could be known at the earliest to when a consumer of `incidents` has
 * its first version. It could be known once every partition had passed the pane's end by the lateness: the begin is the
 * wall time just before the send that holds the last of the records by which they did, one in each partition. So it holds
 * the producing of that record, ingest's fetch, the pane's way over `panes`, judging, `casefile`, respond, `incidents`, and
 * the last fetch; not the second of the pane and not the second of lateness, which the configuration asks for.
 *
 * The whole worker runs, as `sentinel run` does, with the store. Parts are told by the broker's append times, in whole ms.
 */
import { parseArgs } from 'node:util'
import { decodeJson } from '../../stream/contract/encoding.ts'
import type { Incident } from '../../stream/contract/incident.ts'
import { brokerTopic } from '../../stream/contract/topics.ts'
import type { Kafka } from '../../stream/io/kafka/client.ts'
import { sendLoad } from '../harness/pace.ts'
import { inWorld, type World } from '../harness/world.ts'
import { apartPanes, Breaks } from './breaks.ts'
import { appendTimes } from './parts.ts'
import { quantileTable } from './quantiles.ts'

const { values } = parseArgs({
  options: {
    rate: { type: 'string', default: '5000' },
    entities: { type: 'string', default: '110' },
    lead: { type: 'string', default: '20' },
  },
})
const rate = Number(values.rate)
const entities = Number(values.entities)
const leadPanes = Number(values.lead)
const partitions = 4
const paneMs = 1_000
const latenessMs = 1_000
/** From the last failure to the end: its panes, the lateness, and some. */
const tailPanes = 10
/** Far above any latency that is worth a figure. */
const incidentsWithinMs = 60_000
/** Errors, judged in each pane by itself. */
const vote = {
  ...{ vote: 'errors', problem: 'errors', features: ['error'], detectors: ['rate'], quorum: 1 },
  sustain: { evaluations: 1 },
}

await inWorld(
  {
    benchmark: 'latency',
    partitions,
    configuration: (topic) => ({
      sources: [{ name: 'logs', topic, format: 'json-log', pane: paneMs, lateness: latenessMs }],
      detect: {
        ...{ window: 10 * paneMs, slide: paneMs, baseline: 60 * paneMs, minPaneRows: 20 },
        detectors: { rate: { minTrials: 20 } },
        votes: { service: [vote] },
      },
      // every failure is an incident of its own
      respond: { correlation: 0, maxEntities: 1 },
    }),
  },
  run,
)
process.exit(0)

async function run({ kafka, prefix, topic, producer, worker }: World): Promise<void> {
  const read = new Map<string, ReadIncident>()
  const consumer = await readIncidents(kafka, prefix, (found) => read.set(found.incident.id, found))
  const breaks = new Breaks({ entities, partitions, paneMs, latenessMs, leadPanes })
  await sendLoad(producer, {
    rate,
    durationMs: (leadPanes + apartPanes * entities + tailPanes) * paneMs,
    record: (index, timeMs) => ({
      topic,
      partition: index % partitions,
      key: null,
      value: Buffer.from(breaks.line(index, timeMs)),
    }),
    onSent: (sent) => breaks.sent(sent),
  })
  const giveUpMs = performance.now() + incidentsWithinMs
  while (read.size < entities && performance.now() < giveUpMs) await new Promise((resolve) => setTimeout(resolve, 100))
  await consumer.disconnect()

  const found = [...read.values()]
  console.log(breaks.compare(found.map(({ incident }) => incident)))
  const appended = await appendTimes(kafka, prefix)
  const parts = found.map(({ incident, readMs, appendedMs }) => {
    const knownMs = breaks.knowableMs(incident.openedMs)
    const paneAppendedMs = appended.pane(incident.cause.entity, incident.openedMs)
    const findingAppendedMs = appended.finding(incident.findings[0]!)
    return [
      readMs - knownMs,
      paneAppendedMs - knownMs,
      findingAppendedMs - paneAppendedMs,
      appendedMs - findingAppendedMs,
      readMs - appendedMs,
    ]
  })
  const metrics = await worker.metrics()
  const cpuUs = (metrics.sum('process_cpu_seconds_total') * 1e6) / metrics.sum('sentinel_ingest_positions_read_total')
  console.log(`\n${rate} records/s, ${entities} services, 4 partitions; ${cpuUs.toFixed(1)} µs CPU a record\n`)
  const names = ['record to incident', 'to its panes', 'to the finding', 'to the incident', 'to its reader']
  const series = names.map((name, index) => [name, parts.map((of) => of[index]!)] as const)
  console.log(quantileTable('ms', series))
}

interface ReadIncident {
  readonly incident: Incident
  readonly readMs: number
  readonly appendedMs: number
}

/** Reads first versions as they come. */
async function readIncidents(kafka: Kafka, prefix: string, take: (found: ReadIncident) => void) {
  const consumer = kafka.consumer({ groupId: `${prefix}reader`, minBytes: 1, maxWaitTimeInMs: 200 })
  await consumer.connect()
  await consumer.subscribe({ topics: [brokerTopic('incidents', prefix)], fromBeginning: true })
  await consumer.run({
    autoCommit: false,
    eachMessage: async ({ message: { value, timestamp } }) => {
      const readMs = Date.now()
      const incident = decodeJson(value!) as Incident
      if (incident.version === 1) take({ incident, readMs, appendedMs: Number(timestamp) })
    },
  })
  return consumer
}
