/**
 * How fast `sentinel replay` runs a topic's history, beside the worker that takes the same topic live.
 *
 *   npx tsx bench/backtest/run.ts [--records 300000]
 *
 * 20 models with an event a second each, in 4 partitions; four of them drift for an hour one after the other. First the
 * worker (`sentinel run`, every stage, TimescaleDB), then `sentinel replay` over the same topic and the worker's
 * declarations; both in a process of their own, from its start to its end, compilation included. The worker's end is when
 * it has accepted all records and no stage is behind, seen within about a second. The replay fails the run where not every
 * version of an incident that the worker wrote comes out again with the same id and bytes, or where there is none.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { createKafka } from '../../stream/io/kafka/client.ts'
import { provideBroker } from '../harness/broker.ts'
import { type Cost, script } from '../harness/child.ts'
import { fillTopic } from '../harness/topic.ts'
import { inWorld } from '../harness/world.ts'
import { configuration, eventSeconds, history } from './history.ts'

const { values } = parseArgs({ options: { records: { type: 'string', default: '300000' } } })
const records = Number(values.records)
const takenWithinMs = 600_000

const brokers = await provideBroker()
const { topic } = await fillTopic(
  createKafka({ brokers, clientId: 'bench' }, () => {}),
  {
    ...{ brokers, topic: `bench-backtest-${records}`, partitions: 4, records },
    lines: history(records),
  },
)
await inWorld(
  { benchmark: 'backtest', partitions: 1, configuration: () => configuration(topic) },
  async ({ prefix, worker }) => {
    const wallMs = (await worker.untilTaken(records, takenWithinMs)) - worker.startedMs
    const metrics = await worker.metrics()
    const live: Cost = {
      records,
      cpuUs: metrics.sum('process_cpu_seconds_total') * 1e6,
      wallMs,
      rssMb: metrics.sum('process_resident_memory_bytes') / 1_048_576,
    }
    await worker.stop()
    const { cost, outcome } = await replay(prefix)
    const { versions, identical } = outcome.live
    if (versions === 0 || identical !== versions)
      throw new Error(`${identical} of the ${versions} incident records of the live run came out of the replay`)
    console.log(`equal: ${identical} of ${versions} incident records of the live run came out again, byte for byte`)
    const rows = [
      ['worker, live', live],
      ['sentinel replay', { ...cost, records }],
    ] as const
    const head = ['', 'event-time seconds a second', 'records/s', 'CPU µs a record', 'MB']
    console.log(`\n${records} records, ${eventSeconds(records)} s of event time, 4 partitions\n`)
    console.log(`| ${head.join(' | ')} |\n| ${head.map(() => '---').join(' | ')} |`)
    for (const [name, of] of rows) {
      const seconds = of.wallMs / 1_000
      const cells = [eventSeconds(records) / seconds, records / seconds].map((value) => value.toFixed(0))
      console.log(`| ${[name, ...cells, (of.cpuUs / records).toFixed(1), of.rssMb.toFixed(0)].join(' | ')} |`)
    }
  },
)
process.exit(0)

interface Replayed {
  readonly cost: Cost
  readonly outcome: { readonly live: { readonly versions: number; readonly identical: number } }
}

async function replay(prefix: string): Promise<Replayed> {
  const folder = await mkdtemp(join(tmpdir(), 'sentinel-bench-'))
  try {
    const path = join(folder, 'sentinel.yaml')
    const whole = { ...configuration(topic), topics: { prefix, partitions: { panes: 4, casefile: 1 } } }
    await writeFile(path, JSON.stringify(whole))
    const main = script(new URL('../../stream/main.ts', import.meta.url), ['replay', '--json', '--live', path])
    const hook = ['--import', fileURLToPath(new URL('../harness/cost-at-exit.ts', import.meta.url))]
    const child = spawn(main.command, [...main.args.slice(0, 2), ...hook, ...main.args.slice(2)], {
      env: { ...process.env, NODE_ENV: 'production', KAFKA_BROKERS: brokers.join(',') },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let output = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
    const [code] = await once(child, 'close')
    if (code !== 0) throw new Error(`sentinel replay ended with ${code}`)
    const lines = output.trimEnd().split('\n')
    const cost = JSON.parse(lines.pop()!) as Cost
    return { cost, outcome: JSON.parse(lines.join('\n')) as Replayed['outcome'] }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
