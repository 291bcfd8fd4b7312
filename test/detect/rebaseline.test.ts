/** A level that stays is told of, and taken for the usual one when a person says so. */
import { describe, expect, it } from 'vitest'
import type { Finding } from '../../stream/contract/finding.ts'
import { beginSettling, follow } from '../../stream/detect/settling.ts'
import { Harness } from './harness.ts'
import { paneOf } from './panes.ts'
import { Random } from './random.ts'

const minuteMs = 60_000
const entity = 'service:api'
const config = {
  ...{ window: '12m', slide: '1m', baseline: '20m', referencePeriod: '20m', referenceWindows: 1, minPaneRows: 10 },
  votes: {
    service: [
      {
        ...{ vote: 'latency', problem: 'latency', features: ['duration_ms'], quorum: 1, sustain: { evaluations: 1 } },
        detectors: ['student-t', 'kolmogorov-smirnov'],
      },
    ],
  },
}
const rebaseline = { type: 're-baseline', partition: 0, tenant: 'default', entity, features: ['duration_ms'] } as const
const lineage = 'ingest/commands/0:0:0:'

/** Quiet for an hour, then every request takes twice as long. */
class Service {
  readonly harness = new Harness(config)
  readonly #draw = new Random(3)
  #minute = 0

  constructor() {
    this.harness.join('logs', 1, { paneMs: minuteMs })
  }

  runTo(minute: number): this {
    for (; this.#minute < minute; this.#minute++) {
      const usual = this.#minute < 60 ? 100 : 200
      const rows = Array.from({ length: 60 }, () => ({
        hash: this.#draw.hash(),
        numeric: { duration_ms: usual * Math.exp(0.3 * this.#draw.normal()) },
      }))
      const pane = paneOf({ entity, kind: 'service', startMs: this.#minute * minuteMs, paneMs: minuteMs, rows })
      this.harness.feed(pane)
      this.harness.heartbeat('logs', 0, 1, (this.#minute + 1) * minuteMs)
    }
    return this
  }

  say(change: { id?: string; atMs?: number; entity?: string } = {}): this {
    const body = { ...rebaseline, id: 'a'.repeat(32), atMs: 90 * minuteMs, ...change }
    this.harness.feedBytes(Buffer.from(JSON.stringify(body)), lineage)
    return this
  }

  restart(): this {
    this.harness.restart()
    return this
  }

  get votes(): (Finding['votes'][number] & { minute: number })[] {
    return this.harness.findings.flatMap(({ timeMs, votes }) => {
      return votes.map((vote) => ({ ...vote, minute: timeMs / minuteMs }))
    })
  }

  /** What its latest measurement says of durations. */
  get latest() {
    return this.harness.measurements.at(-1)!.features.find(({ feature }) => feature === 'duration_ms')!
  }
}

describe('settling', () => {
  const levels = (values: readonly (number | null)[], usual: number | null = 0) => {
    const state = beginSettling()
    return values.map((level) => follow(state, { level, usual, windowSlides: 4 }))
  }

  it('is told once, when a window of levels moved by less than half of the distance', () => {
    expect(levels([10, 11, 9, 10, 10, 10])).toEqual([false, false, false, true, false, false])
    expect(levels([2, 11, 9, 10, 10])).toEqual([false, false, false, false, true])
    expect(levels([10, 20, 10, 20, 10])).not.toContain(true)
  })

  it('is not told without levels, or without one that is usual', () => {
    expect(levels([10, null, 10, 10, null, 10])).toEqual([false, false, false, false, false, true])
    expect(levels([10, 10, 10, 10, 10], null)).not.toContain(true)
    expect(levels([0, 0, 0, 0, 0])).not.toContain(true)
  })
})

describe('a level that stays', () => {
  it('is drift, then told to have settled, once', () => {
    const { votes } = new Service().runTo(120)
    const [drift] = votes.filter(({ status }) => status === 'drift')
    const settled = votes.filter((vote) => vote.settled)
    expect(drift!.minute).toBeGreaterThan(60)
    expect(settled).toHaveLength(1)
    expect(settled[0]).toMatchObject({ status: 'drift', changed: false })
    expect(settled[0]!.minute - drift!.minute).toBeGreaterThanOrEqual(11)
  })

  it('is drift for good while nobody says otherwise', () => {
    expect(new Service().runTo(150).votes.at(-1)).toMatchObject({ status: 'drift' })
  })
})

describe('a re-baseline', () => {
  it('takes the vote back at the next slide, learns anew, and then sees no drift', () => {
    const service = new Service().runTo(90).say().runTo(91)
    expect(service.votes.at(-1)).toMatchObject({ minute: 91, status: 'stable', previous: 'drift', changed: true })
    expect(service.latest.reference).toBeNull()
    const told = service.votes.length
    service.runTo(140)
    expect(service.votes.length).toBe(told)
    expect(service.latest.reference).not.toBeNull()
    expect(service.latest.verdicts.map(({ status }) => status)).toEqual(['stable', 'stable'])
  })

  it('holds from its own time on, known beforehand or not, across restarts, and said again it changes nothing', () => {
    const said = new Service().runTo(90).say().runTo(140).harness.said
    expect(new Service().say().runTo(140).harness.said).toEqual(said)
    expect(new Service().runTo(90).say().restart().runTo(100).restart().runTo(140).harness.said).toEqual(said)
    expect(new Service().runTo(90).say().say().runTo(110).say().runTo(140).harness.said).toEqual(said)
  })

  it('leaves other entities alone, and nothing of a stale reference is kept', () => {
    const untouched = new Service().runTo(120)
    expect(new Service().runTo(90).say({ entity: 'service:other' }).runTo(120).harness.said).toEqual(
      untouched.harness.said,
    )
    const service = new Service().runTo(90).restart()
    const references = () => [...service.harness.parts.keys()].filter((key) => key.startsWith('reference/'))
    const before = references()
    service.say().runTo(95).restart()
    expect(before).toHaveLength(1)
    expect(references()).toEqual([])
  })

  it('that no command was read for is refused', () => {
    const service = new Service().runTo(70)
    const body = { ...rebaseline, id: 'a'.repeat(32), atMs: 0 }
    service.harness.feedBytes(Buffer.from(JSON.stringify(body)), 'ingest/logs/0:0:0:')
    expect(service.harness.task.counts.refused).toBe(1)
    expect(service.runTo(90).votes.at(-1)).toMatchObject({ status: 'drift' })
  })
})
