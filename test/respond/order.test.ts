import { describe, expect, it } from 'vitest'
import { Order, type TakenFinding, takenFinding, taskOfLineage } from '../../stream/respond/order.ts'
import { finding } from './bench.ts'

function at(timeMs: number, name = 'payment'): TakenFinding {
  return takenFinding(finding({ entity: `service:${name}`, timeMs }))
}

function watermark(order: Order, task: number, watermarkMs: number, taskCount = 2): string {
  return order.addWatermark({ task, taskCount, watermarkMs })
}

describe('the least watermark', () => {
  it('is unknown until every declared task has spoken', () => {
    const order = new Order()
    expect(order.leastWatermarkMs).toBeNull()
    watermark(order, 0, 100)
    expect(order.leastWatermarkMs).toBeNull()
    watermark(order, 1, 70)
    expect(order.leastWatermarkMs).toBe(70)
  })

  it('never falls', () => {
    const order = new Order()
    watermark(order, 0, 100, 1)
    expect(watermark(order, 0, 90, 1)).toBe('repeated')
    expect(order.leastWatermarkMs).toBe(100)
  })

  it('is not moved by a record that contradicts the number of tasks', () => {
    const order = new Order()
    watermark(order, 0, 100)
    expect(watermark(order, 1, 100, 3)).toBe('contradicts')
    expect(watermark(order, 2, 100, 2)).toBe('contradicts')
    expect(order.leastWatermarkMs).toBeNull()
  })
})

describe('findings', () => {
  it('come in the order (event time, id), whatever the order of arrival', () => {
    const findings = [at(3), at(1), at(2, 'a'), at(2, 'b'), at(2, 'c')]
    const order = new Order()
    for (const one of findings) order.addFinding(0, one, 0)
    const taken = findings.map(() => order.take())
    expect(taken.map(({ timeMs }) => timeMs)).toEqual([1, 2, 2, 2, 3])
    const ids = taken.slice(1, 4).map(({ id }) => id)
    expect(ids).toEqual(ids.toSorted())
  })

  it('are dropped at or below the watermark of their own task, not that of another', () => {
    const order = new Order()
    watermark(order, 0, 100)
    expect(order.addFinding(0, at(100), 0)).toBe('duplicate')
    expect(order.addFinding(0, at(101), 0)).toBe('taken')
    expect(order.addFinding(1, at(50), 0)).toBe('taken')
  })

  it('are dropped above the watermark by their id', () => {
    const order = new Order()
    expect(order.addFinding(0, at(5), 0)).toBe('taken')
    expect(order.addFinding(0, at(5), 0)).toBe('duplicate')
    expect(order.take().timeMs).toBe(5)
    expect(order.peek()).toBeUndefined()
  })

  it('come back from a snapshot, with their order and their ids', () => {
    const order = new Order()
    for (const timeMs of [3, 1, 2]) order.addFinding(1, at(timeMs), 0)
    watermark(order, 1, 0)
    order.take()
    const restored = Order.restore(order.snapshot())
    expect(restored.snapshot()).toEqual(order.snapshot())
    expect(restored.addFinding(1, at(2), 0)).toBe('duplicate')
    expect([restored.take().timeMs, restored.take().timeMs]).toEqual([2, 3])
  })

  it('stay in order over many', () => {
    const order = new Order()
    const times = Array.from({ length: 5000 }, (_, index) => (index * 7919) % 5003)
    for (const timeMs of times) order.addFinding(0, at(timeMs), 0)
    expect(times.map(() => order.take().timeMs)).toEqual(times.toSorted((a, b) => a - b))
  })
})

it('reads the task from the lineage, and only that of detect', () => {
  expect(taskOfLineage('detect/11:512:9:a0')).toBe(11)
  expect(taskOfLineage('detect/11:512:9')).toBe(11)
  expect(taskOfLineage('ingest/logs/0:512:9:')).toBeNull()
  expect(taskOfLineage(undefined)).toBeNull()
})
