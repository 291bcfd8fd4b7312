/** When a silent partition is declared idle, and up to where: never past records that are still to be read. */
import { describe, expect, it } from 'vitest'
import type { SourceConfig } from '../../../stream/contract/configuration.ts'
import { encode } from '../../../stream/contract/encoding.ts'
import { IdlePolicy } from '../../../stream/io/kafka/idle-policy.ts'
import type { IngestHandler } from '../../../stream/io/kafka/ingest-handler.ts'
import { noteClock, type PartitionClock, raisedWatermark } from '../../../stream/io/kafka/source-clocks.ts'

const second = 1_000
const own = { atLastRecordMs: 100 * second, silentMs: 30 * second }
const speaks = (watermarkMs: number | null): PartitionClock => ({ watermarkMs, silent: false })
const isSilent = (watermarkMs: number | null): PartitionClock => ({ watermarkMs, silent: true })

describe('the watermark of a silent partition', () => {
  it('goes to the least of those that speak', () => {
    expect(raisedWatermark(own, [speaks(150 * second), speaks(120 * second), isSilent(90 * second)])).toBe(120 * second)
  })

  it('stays where one speaks that has no watermark yet', () => {
    expect(raisedWatermark(own, [speaks(150 * second), speaks(null)])).toBeNull()
  })

  it('goes on by its own silence when nobody speaks', () => {
    expect(raisedWatermark(own, [isSilent(500 * second)])).toBe(130 * second)
    expect(raisedWatermark(own, [])).toBe(130 * second)
  })

  it('of one that never had a record goes to the least of the silent ones', () => {
    const never = { atLastRecordMs: null, silentMs: 30 * second }
    expect(raisedWatermark(never, [isSilent(500 * second), isSilent(90 * second)])).toBe(90 * second)
    expect(raisedWatermark(never, [isSilent(null)])).toBeNull()
  })
})

describe('a declaration of silence', () => {
  it('waits while the log holds records of the partition that were not read', async () => {
    expect(await asked({ high: [10, 5], reached: [9, 5] })).toBeNull()
    expect(await asked({ high: [10, 5], reached: [10, 5] })).toBe(120 * second)
  })

  it('takes one that has unread records for one that speaks, however long it was silent', async () => {
    expect(await asked({ high: [10, 5], reached: [10, 4], otherIsSilent: true })).toBe(120 * second)
    expect(await asked({ high: [10, 5], reached: [10, 5], otherIsSilent: true })).toBe(130 * second)
  })

  it('asks for the clocks of those that another process reads, by the time of the broker', async () => {
    const wanted: number[] = []
    const clocksElsewhere = async ({ silentBeforeMs }: { silentBeforeMs: number }) => {
      wanted.push(silentBeforeMs)
      return new Map([[1, speaks(115 * second)]])
    }
    const elsewhere = { high: [10, 5], reached: [10, 0], handlers: [0], clocksElsewhere }
    expect(await asked({ ...elsewhere, brokerNowMs: 900 * second })).toBe(115 * second)
    expect(wanted).toEqual([880 * second])
    expect(await asked({ ...elsewhere, brokerNowMs: null })).toBeNull()
    // one of which nothing is known is neither waited for nor followed
    expect(await asked({ ...elsewhere, clocksElsewhere: async () => new Map() })).toBe(130 * second)
  })
})

describe('clocks of partitions, of what their owners wrote', () => {
  it('are the newest; silent after a declaration, or where the last word is old', () => {
    const clocks = new Map<number, PartitionClock>()
    const note = (body: object, timestampMs: number) =>
      noteClock(clocks, { value: encode(body), timestampMs }, { source: 'logs', silentBeforeMs: 50 })
    const heartbeat = {
      type: 'heartbeat',
      source: 'logs',
      partition: 0,
      partitionCount: 3,
      watermarkMs: 7,
    }
    note(heartbeat, 49)
    expect(clocks.get(0)).toEqual(isSilent(7))
    note({ ...heartbeat, watermarkMs: 8 }, 50)
    expect(clocks.get(0)).toEqual(speaks(8))
    note({ ...heartbeat, partition: 1, source: 'more' }, 60)
    note({ rubbish: true }, 60)
    noteClock(clocks, { value: null, timestampMs: 60 }, { source: 'logs', silentBeforeMs: 50 })
    expect([...clocks.keys()]).toEqual([0])
  })
})

/** Of partition 0 of a source of two, silent for 30 s; partition 1 stands at 120 s. */
function asked(of: {
  high: readonly number[]
  reached: readonly number[]
  otherIsSilent?: boolean
  handlers?: readonly number[]
  brokerNowMs?: number | null
  clocksElsewhere?: IdlePolicyOptions['clocksElsewhere']
}): Promise<number | null> {
  const { high, reached, otherIsSilent = false, handlers = [0, 1], brokerNowMs = 900 * second } = of
  const handler = (partition: number) =>
    ({
      silent: partition === 0 || otherIsSilent,
      runner: { task: { watermarkMs: partition === 0 ? 100 * second : 120 * second } },
    }) as unknown as IngestHandler
  const policy = new IdlePolicy({
    ranges: async () => high.map((end) => ({ low: 0, high: end })),
    handlers: new Map(handlers.map((partition) => [`logs/${partition}`, handler(partition)])),
    consumer: () => ({ reached: (_, partition) => reached[partition]! }),
    brokerNowMs: () => brokerNowMs,
    clocksElsewhere: of.clocksElsewhere ?? (async () => new Map()),
  })
  return policy.watermark({ name: 'logs', topic: 'logs', idleAfter: 20 * second } as SourceConfig, 0, own)
}

type IdlePolicyOptions = ConstructorParameters<typeof IdlePolicy>[0]
