import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { createTraffic, type SimulatedRecord, type Traffic } from '../../stream/simulate/simulator.ts'

const HOUR_MS = 3_600_000
const MINUTE_MS = 60_000
const startMs = Date.UTC(2026, 0, 5)
const partitions = { logs: 4, predictions: 2 }

interface Log {
  '@timestamp': string
  service: { name: string }
  level: string
  message: string
  duration_ms: number
  status_code: number
  'trace.id': string
}

const body = <T>(record: SimulatedRecord) => JSON.parse(Buffer.from(record.value).toString()) as T
const logsOf = (records: readonly SimulatedRecord[]) =>
  records.filter((one) => one.topic === 'logs').map((one) => body<Log>(one))

function share(logs: readonly Log[], service: string, holds: (log: Log) => boolean): number {
  const own = logs.filter((log) => log.service.name === service)
  return own.filter(holds).length / own.length
}

function advance(traffic: Traffic, untilMs: number, stepMs: number): SimulatedRecord[] {
  const records: SimulatedRecord[] = []
  while (traffic.nowMs < untilMs) records.push(...traffic.advanceTo(Math.min(untilMs, traffic.nowMs + stepMs)))
  return records
}

describe('quiet traffic', () => {
  const records = createTraffic({ seed: 11, startMs, partitions }).advanceTo(startMs + 12 * HOUR_MS)
  const logs = logsOf(records)

  it('has the rates that two days within half a million records need', () => {
    expect(records.length * 4.17).toBeGreaterThan(300_000)
    expect(records.length * 4.17).toBeLessThan(450_000)
    expect(new Set(logs.map((log) => log.service.name))).toEqual(
      new Set(['gateway', 'order', 'payment', 'inventory', 'shipping']),
    )
  })

  it('fails rarely, and says so in level and status alike', () => {
    for (const service of ['gateway', 'order', 'payment', 'inventory', 'shipping']) {
      expect(share(logs, service, (log) => log.level === 'error')).toBeLessThan(0.01)
    }
    for (const log of logs) expect(log.level === 'error').toBe(log.status_code >= 500)
  })

  it('is out of order, by less than 2 s', () => {
    let highestMs = Number.NEGATIVE_INFINITY
    let backMs = 0
    for (const { timeMs } of records) {
      highestMs = Math.max(highestMs, timeMs)
      backMs = Math.max(backMs, highestMs - timeMs)
    }
    expect(backMs).toBeGreaterThan(1000)
    expect(backMs).toBeLessThan(2000)
  })

  it('carries its event time, and spreads over all partitions in turn', () => {
    expect(
      records.every(
        (one) =>
          Date.parse(body<Log & { time: string }>(one)['@timestamp'] ?? body<{ time: string }>(one).time) ===
          one.timeMs,
      ),
    ).toBe(true)
    const counts = [0, 1, 2, 3].map(
      (partition) => records.filter((one) => one.topic === 'logs' && one.partition === partition).length,
    )
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1)
  })

  it('gives one trace to the five lines of a request', () => {
    const counts = new Map<string, number>()
    for (const log of logs) counts.set(log['trace.id'], (counts.get(log['trace.id']) ?? 0) + 1)
    const whole = [...counts.values()].filter((count) => count === 5).length
    expect(whole / counts.size).toBeGreaterThan(0.99)
  })
})

describe('determinism', () => {
  function digest(seed: number, stepMs: number): string {
    const traffic = createTraffic({ seed, startMs, partitions })
    const hash = createHash('sha256')
    const take = (untilMs: number) => {
      for (const one of advance(traffic, untilMs, stepMs))
        hash.update(`${one.topic} ${one.partition} ${one.timeMs} `).update(one.value)
    }
    take(startMs + HOUR_MS)
    traffic.startCascade(startMs + HOUR_MS)
    traffic.startDrift(startMs + HOUR_MS)
    take(startMs + 1.5 * HOUR_MS)
    traffic.heal('cascade', startMs + 1.5 * HOUR_MS)
    take(startMs + 2 * HOUR_MS)
    return hash.digest('hex')
  }

  it('gives the same bytes for a seed, however the calls are cut', () => {
    expect(digest(5, 7 * MINUTE_MS)).toBe(digest(5, HOUR_MS))
    expect(digest(5, 1234)).toBe(digest(5, HOUR_MS))
    expect(digest(6, HOUR_MS)).not.toBe(digest(5, HOUR_MS))
  })
})

describe('a cascade', () => {
  const traffic = createTraffic({ seed: 11, startMs, partitions })
  traffic.advanceTo(startMs + HOUR_MS)
  const faultMs = startMs + HOUR_MS
  traffic.startCascade(faultMs)
  const sick = logsOf(traffic.advanceTo(faultMs + HOUR_MS))
  traffic.heal('cascade', faultMs + HOUR_MS)
  const healed = logsOf(traffic.advanceTo(faultMs + 2 * HOUR_MS))
  const isError = (log: Log) => log.level === 'error'
  const firstMs = (service: string, message: string) =>
    Math.min(
      ...sick
        .filter((log) => log.service.name === service && log.message.includes(message))
        .map((log) => Date.parse(log['@timestamp'])),
    )

  it('begins with payment, then order, then the gateway', () => {
    const order = firstMs('order', 'timeout') - faultMs
    const gateway = firstMs('gateway', 'timed out') - faultMs
    expect(firstMs('payment', 'connection pool exhausted') - faultMs).toBeLessThan(30_000)
    expect(order).toBeGreaterThan(60_000)
    expect(order).toBeLessThan(120_000)
    expect(gateway).toBeGreaterThan(120_000)
    expect(gateway).toBeLessThan(180_000)
  })

  it('leaves the other services alone', () => {
    expect(share(sick, 'payment', isError)).toBeGreaterThan(0.3)
    expect(share(sick, 'payment', isError)).toBeLessThan(0.65)
    expect(share(sick, 'order', isError)).toBeGreaterThan(0.25)
    expect(share(sick, 'gateway', (log) => log.status_code >= 500)).toBeGreaterThan(0.25)
    expect(share(sick, 'inventory', isError)).toBeLessThan(0.02)
    expect(share(sick, 'shipping', isError)).toBeLessThan(0.02)
  })

  it('is over within a minute when it is healed', () => {
    const later = healed.filter((log) => Date.parse(log['@timestamp']) > faultMs + HOUR_MS + 2 * MINUTE_MS)
    for (const service of ['payment', 'order', 'gateway']) expect(share(later, service, isError)).toBeLessThan(0.02)
  })
})

describe('a drift', () => {
  it('shifts one feature by 1.2 of its standard deviations, and no other', () => {
    const traffic = createTraffic({ seed: 2, startMs, partitions })
    const mean = (records: readonly SimulatedRecord[]) => {
      const events = records
        .filter((one) => one.topic === 'predictions')
        .map((one) => body<{ features: Record<string, number>; score: number }>(one))
      const of = (pick: (event: (typeof events)[number]) => number) =>
        events.reduce((sum, event) => sum + pick(event), 0) / events.length
      return {
        charges: of((event) => event.features['monthly_charges']!),
        tenure: of((event) => event.features['tenure_months']!),
        score: of((event) => event.score),
      }
    }
    const before = mean(traffic.advanceTo(startMs + 3 * HOUR_MS))
    traffic.startDrift(traffic.nowMs)
    const during = mean(traffic.advanceTo(startMs + 6 * HOUR_MS))
    traffic.heal('drift', traffic.nowMs)
    const after = mean(traffic.advanceTo(startMs + 9 * HOUR_MS))
    expect((during.charges - before.charges) / 18).toBeCloseTo(1.2, 0.8)
    expect((after.charges - before.charges) / 18).toBeCloseTo(0, 0.8)
    expect((during.tenure - before.tenure) / 11).toBeCloseTo(0, 0.8)
    expect(during.score - before.score).toBeCloseTo(0, 1.5)
  })
})

describe('what cannot be', () => {
  it('refuses the past, a second fault of a kind, and healing what is well', () => {
    const traffic = createTraffic({ seed: 1, startMs, partitions })
    traffic.advanceTo(startMs + 1000)
    expect(() => traffic.startCascade(startMs)).toThrow(RangeError)
    expect(() => traffic.heal('drift', startMs + 1000)).toThrow(/no drift/)
    traffic.startDrift(startMs + 2000)
    expect(() => traffic.startDrift(startMs + 3000)).toThrow(/already/)
    expect(() => traffic.advanceTo(startMs)).toThrow(/past/)
  })

  it('never lets a cascade reach who it had not reached when it was healed', () => {
    const traffic = createTraffic({ seed: 11, startMs, partitions })
    traffic.startCascade(startMs)
    traffic.advanceTo(startMs + 30_000)
    traffic.heal('cascade', startMs + 30_000)
    const logs = logsOf(traffic.advanceTo(startMs + HOUR_MS))
    expect(share(logs, 'order', (log) => log.message.includes('timeout'))).toBe(0)
  })
})
