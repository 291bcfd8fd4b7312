import { setTimeout as pause } from 'node:timers/promises'
import { durationText } from '../config/json-schema.ts'
import { SentinelError } from '../errors.ts'
import { createKafka } from '../io/kafka/client.ts'
import { RawProducer } from '../io/kafka/raw-producer.ts'
import { createTopics, withAdmin } from '../io/kafka/topics.ts'
import { createTraffic } from '../simulate/simulator.ts'
import { type CommandContext, defineCommand } from './args.ts'
import { kafkaConnection } from './connections.ts'
import { load } from './load.ts'

const flags = {
  seed: { type: 'integer', value: 'N', default: 1, min: 0, description: 'Which traffic: the same seed gives the same' },
  from: {
    type: 'time',
    value: 'TIME',
    description:
      'First event time; where absent now, and with --speed 0 so long ago that the end is now. Events a day ahead of the wall clock are rejected (maxAhead): give a time in the past for long, fast runs',
  },
  duration: {
    type: 'duration',
    value: 'DURATION',
    description: 'Event time to simulate; until interrupted where absent; --speed 0 needs it',
  },
  speed: {
    type: 'number',
    value: 'FACTOR',
    min: 0,
    default: 1,
    description: 'Event time for wall time: 60 plays an hour in a minute; 0 is as fast as it goes',
  },
  'cascade-after': {
    type: 'duration',
    value: 'DURATION',
    description: "payment's connection pool is exhausted so long after the start",
  },
  'drift-after': {
    type: 'duration',
    value: 'DURATION',
    description: 'a feature of model churn drifts so long after the start',
  },
  'heal-after': {
    type: 'duration',
    value: 'DURATION',
    description: 'both are healed so long after the start, and so after they began',
  },
  prefix: {
    type: 'text',
    value: 'TEXT',
    default: '',
    description: 'Before the names of the topics logs and predictions',
  },
  partitions: {
    type: 'integer',
    value: 'N',
    default: 2,
    min: 1,
    max: 64,
    description: 'Partitions of topics that are made',
  },
} as const

/** Sends simulated traffic of five services and one model. */
export const simulate = defineCommand({
  name: 'simulate',
  summary: 'Send simulated traffic of five services and one model, with faults when you like',
  description:
    'Writes JSON logs to the topic logs and prediction events to predictions, and makes the topics where they are missing. Run `sentinel run` beside it.',
  flags,
  positionals: [],
  examples: [
    { line: 'sentinel simulate', what: 'in real time, quiet, until Ctrl-C' },
    { line: 'sentinel simulate --speed 0 --duration 2d', what: 'the last two days, at once' },
    { line: 'sentinel simulate --speed 60 --cascade-after 1h --heal-after 2h', what: 'a cascade, an hour a minute' },
  ],
  run,
})

const stepMs = 1_000
const bulkStepMs = 600_000

/**
 * When simulated traffic begins and ends, in event time.
 *
 * @param nowMs wall clock
 * @throws USAGE for traffic without an end, and for faults that are healed before they begin
 */
export function simulatedTimes(
  given: Pick<
    CommandContext<typeof flags>['flags'],
    'from' | 'duration' | 'speed' | 'cascade-after' | 'drift-after' | 'heal-after'
  >,
  nowMs: number,
): { readonly startMs: number; readonly endMs: number } {
  const { from, duration, speed, 'heal-after': healAfterMs } = given
  for (const fault of ['cascade-after', 'drift-after'] as const) {
    const faultAfterMs = given[fault]
    if (faultAfterMs === undefined || healAfterMs === undefined || healAfterMs > faultAfterMs) continue
    const [heal, begin] = [durationText(healAfterMs), durationText(faultAfterMs)]
    const text = `--heal-after ${heal} is not after --${fault} ${begin}: both count from the start, so nothing would be healed.`
    throw new SentinelError('USAGE', text)
  }
  if (speed === 0 && duration === undefined) {
    const text =
      '--speed 0 is as fast as it goes, and has no end without --duration: say how much, such as --duration 2d.'
    throw new SentinelError('USAGE', text)
  }
  const startMs = from ?? (speed === 0 ? nowMs - duration! : nowMs)
  return { startMs, endMs: duration === undefined ? Number.POSITIVE_INFINITY : startMs + duration }
}

async function run(context: CommandContext<typeof flags>): Promise<number> {
  const { flags: given, terminal, signal } = context
  const { startMs, endMs } = simulatedTimes(given, Date.now())
  const loaded = await load(context)
  const kafka = createKafka(kafkaConnection(loaded), () => {})
  const counts = await withAdmin(kafka, async (admin) => {
    const wanted = ['logs', 'predictions'].map((name) => `${given.prefix}${name}`)
    const existing = await admin.listTopics()
    const missing = wanted.filter((topic) => !existing.includes(topic))
    if (missing.length > 0) {
      await createTopics(
        admin,
        missing.map((topic) => ({ topic, numPartitions: given.partitions })),
      )
    }
    const { topics } = await admin.fetchTopicMetadata({ topics: wanted })
    return new Map(topics.map(({ name, partitions }) => [name, partitions.length]))
  })
  const partitions = {
    logs: counts.get(`${given.prefix}logs`)!,
    predictions: counts.get(`${given.prefix}predictions`)!,
  }
  const traffic = createTraffic({ seed: given.seed, startMs, partitions })
  const begin = (afterMs: number | undefined) => (afterMs === undefined ? Number.POSITIVE_INFINITY : startMs + afterMs)
  const faults = [
    {
      atMs: begin(given['cascade-after']),
      name: 'cascade',
      start: () => traffic.startCascade(traffic.nowMs),
      done: false,
    },
    { atMs: begin(given['drift-after']), name: 'drift', start: () => traffic.startDrift(traffic.nowMs), done: false },
  ]
  const healMs = begin(given['heal-after'])
  const producer = new RawProducer(kafka)
  await producer.connect()
  const progress = terminal.progress({ label: 'simulated', unit: 'records' })
  const wallStartMs = performance.now()
  let sent = 0
  let healed = false
  try {
    while (traffic.nowMs < endMs && !signal.aborted) {
      for (const fault of faults) {
        if (fault.done || traffic.nowMs < fault.atMs) continue
        fault.start()
        fault.done = true
        terminal.note(`${new Date(traffic.nowMs).toISOString()}: ${fault.name} begins`)
      }
      if (!healed && traffic.nowMs >= healMs) {
        healed = true
        for (const { name, done } of faults) if (done) traffic.heal(name as 'cascade' | 'drift', traffic.nowMs)
        terminal.note(`${new Date(traffic.nowMs).toISOString()}: healed`)
      }
      const records = traffic.advanceTo(
        Math.min(endMs, traffic.nowMs + (given.speed === 0 ? bulkStepMs : stepMs * Math.max(1, given.speed))),
      )
      await producer.send(records.map(({ topic, ...rest }) => ({ ...rest, topic: `${given.prefix}${topic}` })))
      sent += records.length
      progress.update(sent, new Date(traffic.nowMs).toISOString())
      if (given.speed === 0) continue
      const aheadMs = (traffic.nowMs - startMs) / given.speed - (performance.now() - wallStartMs)
      if (aheadMs > 0) await pause(aheadMs, undefined, { signal }).catch(() => {})
    }
  } finally {
    progress.finish()
    await producer.disconnect()
  }
  terminal.print(`${sent.toLocaleString('en')} records, up to ${new Date(traffic.nowMs).toISOString()}`)
  return signal.aborted && given.duration !== undefined ? 130 : 0
}
