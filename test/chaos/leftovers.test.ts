import { expect, it } from 'vitest'
import { encode } from '../../stream/contract/encoding.ts'
import { Harness } from '../detect/harness.ts'
import { paneOf } from '../detect/panes.ts'
import { leftovers } from './verdict.ts'

const slideMs = 300_000
const pane = (startMs: number) => paneOf({ entity: 'service:a', kind: 'service', startMs, rows: [{ hash: 1 }] })

it('tells of parts that a checkpoint keeps although they were judged, or their entity is gone', () => {
  const harness = new Harness()
  harness.join('logs', 1)
  for (const startMs of [0, slideMs, 2 * slideMs]) harness.feed(pane(startMs))
  harness.heartbeat('logs', 0, 1, 2 * slideMs)
  harness.checkpoint()
  expect(leftovers(harness.parts, slideMs)).toEqual([])
  const judged = pane(slideMs)
  harness.parts.set(`pane/${judged.id}`, encode(judged))
  expect(leftovers(harness.parts, slideMs)).toEqual([
    `pane/${judged.id} ends at ${judged.endMs}, closed is ${2 * slideMs}`,
  ])
  harness.parts.delete(`pane/${judged.id}`)
  const entity = [...harness.parts.keys()].find((part) => part.startsWith('entity/'))!
  harness.parts.delete(entity)
  const slides = [...harness.parts.keys()].filter((part) => part.startsWith('slide/'))
  expect(leftovers(harness.parts, slideMs)).toEqual(
    expect.arrayContaining(slides.map((part) => `${part} is of no entity`)),
  )
  expect(slides.length).toBe(2)
})
