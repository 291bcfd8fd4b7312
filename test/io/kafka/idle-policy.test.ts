/** When a silent partition is declared idle, and up to where: never past records that are still to be read. */
import { describe, expect, it } from 'vitest'
import type { SourceConfig } from '../../../stream/contract/configuration.ts'
import { encodeMetadata, reachedOf, readMetadata, withReached } from '../../../stream/ingest/metadata.ts'
import { IdlePolicy } from '../../../stream/io/kafka/idle-policy.ts'
import type { IngestHandler } from '../../../stream/io/kafka/ingest-handler.ts'
import { type PartitionClock, raisedWatermark } from '../../../stream/io/kafka/source-clocks.ts'

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

  it('takes for read what retention removed before it was', async () => {
    expect(await asked({ high: [10, 5], low: [10, 0], reached: [3, 5] })).toBe(120 * second)
  })

  it('of an empty partition does not follow other sources while its own has something to read', async () => {
    const empty = { high: [0, 1_000], reached: [0, 0], own: { atLastRecordMs: null, silentMs: 30 * second } }
    expect(await asked({ ...empty, otherWatermarkMs: null, otherSourceMs: 900 * second })).toBeNull()
    const bothEmpty = { ...empty, high: [0, 0], otherIsSilent: true }
    expect(await asked({ ...bothEmpty, otherWatermarkMs: null, otherSourceMs: 900 * second })).toBe(900 * second)
  })
})

describe('a broker that does not answer', () => {
  it('raises nothing, and is no failure of the partition', async () => {
    const failing = async () => {
      throw new Error('Closed connection')
    }
    const look = lookFrom({ high: [10, 5], reached: [10, 5], handlers: [0], committed: failing as never })
    expect(await look(1_000)).toBeNull()
  })
})

describe('partitions that another process reads', () => {
  const elsewhere = { high: [10, 5], reached: [10, 0], handlers: [0] }
  const at = (reached: number, watermarkMs: number | null) => new Map([[1, { reached, watermarkMs }]])

  it('speak until all of their log is committed and it has not grown for idleAfter', async () => {
    const look = lookFrom({ ...elsewhere, committed: () => at(5, 115 * second) })
    expect(await look(1_000)).toBe(115 * second)
    expect(await look(1_019)).toBe(115 * second)
    expect(await look(1_020)).toBe(130 * second)
  })

  it('speak while something of it is not committed, however long: a slow reader is no silence, nor is a dead one', async () => {
    const look = lookFrom({ ...elsewhere, committed: () => at(4, 115 * second) })
    expect(await look(1_000)).toBe(115 * second)
    expect(await look(9_000)).toBe(115 * second)
  })

  it('say nothing of time where nobody has committed any', async () => {
    const look = lookFrom({ ...elsewhere, committed: () => new Map() })
    expect(await look(1_000)).toBeNull()
    expect(await look(9_000)).toBeNull()
  })

  it('speak anew when their log grows', async () => {
    let end = 5
    const look = lookFrom({ ...elsewhere, highOf: () => [10, end], committed: () => at(end, 115 * second) })
    await look(1_000)
    expect(await look(1_020)).toBe(130 * second)
    end = 6
    expect(await look(1_021)).toBe(115 * second)
  })
})

describe('what a commit says of how far its partition was read', () => {
  const commit = { digest: 'd', clockMs: 5, clockBeforeMs: null, raises: [], pendingIdle: null, joined: true }

  it('passes over offsets without records, and is the position where there are none', () => {
    const text = encodeMetadata({ ...commit, position: 7 })
    expect(reachedOf(withReached(text, 9), 0)).toBe(9)
    expect(withReached(text, 7)).toBe(text)
    expect(reachedOf(text, 0)).toBe(7)
    expect(readMetadata(withReached(text, 9))).toEqual(readMetadata(text))
  })

  it('is the offset alone of a commit that is none of ours', () => {
    expect(withReached('', 9)).toBe('')
    expect(reachedOf('{}', 3)).toBe(3)
  })
})

interface Asked {
  high: readonly number[]
  highOf?: () => readonly number[]
  low?: readonly number[]
  reached: readonly number[]
  otherIsSilent?: boolean
  otherWatermarkMs?: number | null
  /** Watermark of a partition of another source, where there is one. */
  otherSourceMs?: number
  own?: { atLastRecordMs: number | null; silentMs: number }
  handlers?: readonly number[]
  committed?: () => Map<number, { reached: number; watermarkMs: number | null }>
}

/** Of partition 0 of a source of two, silent for 30 s; partition 1 stands at 120 s. Looks at a time in seconds. */
function lookFrom(of: Asked): (atSecond: number) => Promise<number | null> {
  const { high, low = [], reached, otherIsSilent = false, handlers = [0, 1], otherWatermarkMs = 120 * second } = of
  const handler = (silent: boolean, watermarkMs: number | null) =>
    ({ silent, runner: { task: { watermarkMs } } }) as unknown as IngestHandler
  const all = [handler(true, 100 * second), handler(otherIsSilent, otherWatermarkMs)]
  const known = handlers.map((partition): [string, IngestHandler] => [`logs/${partition}`, all[partition]!])
  if (of.otherSourceMs !== undefined) known.push(['more/0', handler(false, of.otherSourceMs)])
  let nowMs = 0
  const policy = new IdlePolicy({
    ranges: async () => (of.highOf?.() ?? high).map((end, partition) => ({ low: low[partition] ?? 0, high: end })),
    handlers: new Map(known),
    consumer: () => ({ reached: (_, partition) => reached[partition]! }),
    committed: async () => (await of.committed?.()) ?? new Map(),
    clock: () => nowMs,
  })
  const source = { name: 'logs', topic: 'logs', idleAfter: 20 * second } as SourceConfig
  return (atSecond) => {
    nowMs = atSecond * second
    return policy.watermark(source, 0, of.own ?? own)
  }
}

function asked(of: Asked): Promise<number | null> {
  return lookFrom(of)(900)
}
