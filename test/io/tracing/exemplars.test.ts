import { describe, expect, it } from 'vitest'
import { idOf } from '../../../stream/contract/id.ts'
import type { Emission } from '../../../stream/contract/stage.ts'
import { Exemplars, exemplarsHeader } from '../../../stream/io/tracing/exemplars.ts'

const request = (index: number) => {
  const traceId = idOf('request', index)
  return { traceId, header: `00-${traceId}-00f067aa0ba902b7-01` }
}

function pane(first: number, last: number): Emission {
  const id = idOf('pane', first, last)
  const body = { type: 'pane', source: 'logs', partition: 0, firstOffset: first, lastOffset: last }
  return { topic: 'panes', route: 'key', key: 't/e', id, timeMs: 0, body }
}

const record = (offset: number, header?: string) => ({
  partition: 0,
  offset,
  headers: (header === undefined ? {} : { traceparent: header }) as Record<string, string>,
})

function judged(exemplars: Exemplars, index: number, endMs: number, key = 't/e'): void {
  const id = idOf('pane', key, index)
  exemplars.judge({
    key: Buffer.from(key),
    headers: {
      traceparent: `00-${id}-${id.slice(16)}-00`,
      ce_time: new Date(endMs).toISOString(),
      [exemplarsHeader]: request(index).header,
    },
  })
}

describe('exemplars', () => {
  it('are the first and the last record of a pane, where these were traced', () => {
    const exemplars = new Exemplars()
    exemplars.read('logs', record(1, request(1).header))
    exemplars.read('logs', record(2, request(2).header))
    exemplars.read('logs', record(3))
    exemplars.read('logs', record(4, request(4).header.replace(/01$/, '00')))
    exemplars.read('logs', record(5, 'rubbish'))
    const ids = (emission: Emission) => exemplars.ofPane(emission).map(({ traceId }) => traceId)
    expect(ids(pane(1, 2))).toEqual([request(1).traceId, request(2).traceId])
    expect(ids(pane(2, 2))).toEqual([request(2).traceId])
    expect(ids(pane(2, 3))).toEqual([request(2).traceId])
    expect([...ids(pane(3, 4)), ...ids(pane(5, 5))]).toEqual([])
    expect(exemplars.headerOf(pane(1, 2).id)).toBe(`${request(1).header},${request(2).header}`)
    expect(exemplars.headerOf(pane(3, 4).id)).toBeNull()
  })

  it('of an entity are those of its last panes up to the time that was judged, however far reading is ahead', () => {
    const exemplars = new Exemplars()
    for (let index = 0; index < 200; index++) judged(exemplars, index, 1_000 * index)
    judged(exemplars, 49, 49_000)
    const found = exemplars.ofEntity({ tenant: 't', entity: 'e', timeMs: 50_500 })
    expect(found.map(({ endMs }) => endMs)).toEqual([47_000, 48_000, 49_000, 50_000])
    expect(found[3]!.sources[0]!.traceId).toBe(request(50).traceId)
    expect(exemplars.ofEntity({ tenant: 't', entity: 'other', timeMs: 50_500 })).toEqual([])
  })

  it('are bounded: entities that have been quiet for longest go', () => {
    const exemplars = new Exemplars()
    for (let index = 0; index < 300; index++) judged(exemplars, index, index, 't/many')
    expect(exemplars.ofEntity({ tenant: 't', entity: 'many', timeMs: 43 })).toEqual([])
    expect(exemplars.ofEntity({ tenant: 't', entity: 'many', timeMs: 44 }).length).toBe(1)
    for (let index = 0; index < 50_000; index++) judged(exemplars, index, index, `t/${index}`)
    expect(exemplars.ofEntity({ tenant: 't', entity: 'many', timeMs: 1_000 })).toEqual([])
    expect(exemplars.ofEntity({ tenant: 't', entity: '0', timeMs: 1_000 }).length).toBe(1)
  })
})
