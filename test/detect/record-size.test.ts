import { describe, expect, it } from 'vitest'
import { encode } from '../../stream/contract/encoding.ts'
import { type Finding, finding, type Measurement, measurement } from '../../stream/contract/finding.ts'
import { findingParts, measurementParts, RECORD_BYTES_MAX } from '../../stream/detect/record-size.ts'
import { Harness } from './harness.ts'
import { paneOf } from './panes.ts'

/** 256 characters of which each takes six bytes in JSON. */
const escaped = (index: number) => `${'\u0001'.repeat(252)}${String(index).padStart(4, '0')}`
const features = Array.from({ length: 250 }, (_, index) => escaped(index))
const categories = Array.from({ length: 10 }, (_, index) => escaped(index))

/** A model of 250 features: one slide in which each has ten categories, every name as long as it can be. */
function wide(partition: number, startMs: number, half: number) {
  const own = features.slice(half * 125, half * 125 + 125)
  const rows = categories.map((category, index) => ({
    hash: startMs + index,
    categorical: Object.fromEntries(own.map((feature) => [feature, category])),
  }))
  return paneOf({ entity: 'model:wide', kind: 'model', source: 'predictions', partition, startMs, rows, sampleRows: 0 })
}

describe('what one evaluation says', () => {
  const harness = new Harness({ window: '10m', slide: '5m', referencePeriod: '10m', referenceWindows: 1 })
  harness.join('predictions', 2)
  for (const half of [0, 1]) harness.feed(wide(half, 0, half))
  for (const partition of [0, 1]) harness.heartbeat('predictions', partition, 2, 300_000)
  const parts = harness.measurements

  it('never exceeds a message: 250 features with escaped names become several records of one evaluation', () => {
    expect(parts.length).toBeGreaterThan(3)
    for (const part of parts) {
      expect(measurement.parse(part)).toEqual(part)
      expect(encode(part).byteLength).toBeLessThanOrEqual(RECORD_BYTES_MAX)
    }
    expect(new Set(parts.map(({ id }) => id)).size).toBe(parts.length)
    expect(parts.map(({ part }) => part!.count)).toEqual(parts.map(() => parts.length))
  })

  it('leaves nothing out: each feature and vote stands in one part, in the order of features', () => {
    const inOrder = [...parts].sort((a, b) => a.part!.index - b.part!.index)
    expect(inOrder.flatMap((part) => part.features.map(({ feature }) => feature))).toEqual([...features, 'volume'])
    const votes = inOrder.flatMap((part) => part.votes.map(({ feature }) => feature))
    expect(votes).toEqual(features)
    for (const part of parts) {
      const own = new Set(part.features.map(({ feature }) => feature))
      expect(part.votes.every(({ feature }) => own.has(feature))).toBe(true)
    }
  })
})

const small: Measurement = {
  ...{ type: 'measurement', id: '0'.repeat(32), tenant: 't', entity: 'model:m', kind: 'model', source: 's' },
  ...{ evaluationMs: 10, windowStartMs: 0, count: 1 },
  features: ['a', 'b', 'c'].map((feature) => ({
    feature,
    latest: { kind: 'volume', count: 1, panes: 1 },
    window: { kind: 'volume', count: 1, panes: 1 },
    reference: null,
    verdicts: [],
  })),
  votes: (['a', 'b', 'c'] as const).map((feature) => ({
    ...{ vote: 'drift', feature, problem: 'drift', score: 1, quorum: 1, groups: [] },
    status: feature === 'b' ? 'drift' : 'stable',
  })),
}

const told: Finding = {
  ...{ type: 'finding', id: '1'.repeat(32), tenant: 't', entity: 'model:m', kind: 'model', source: 's' },
  ...{ timeMs: 10, measurementId: small.id },
  votes: small.votes.map((vote) => ({ ...vote, previous: 'stable', changed: vote.feature !== 'a' })),
  evidence: small.features.map(({ feature, latest }) => ({ feature, verdicts: [], latest })),
}

describe('a record that fits', () => {
  it('is left as it is', () => {
    expect(measurementParts(small)).toEqual([small])
    expect(findingParts(told)).toEqual([told])
  })
})

describe('a record that does not fit', () => {
  it('is divided by features; the part with the worst vote comes last, so that it is the newest', () => {
    const parts = measurementParts(small, 750)
    expect(parts.map(({ features }) => features.map(({ feature }) => feature))).toEqual([['a'], ['c'], ['b']])
    expect(parts.map(({ part }) => part)).toEqual([
      { index: 0, count: 3 },
      { index: 2, count: 3 },
      { index: 1, count: 3 },
    ])
    expect(parts[0]!.id).toBe(small.id)
  })

  it('as a finding has only parts with a vote that changed', () => {
    const parts = findingParts(told, 700)
    expect(parts.map(({ votes }) => votes.map(({ feature }) => feature))).toEqual([['b'], ['c']])
    expect(parts.map(({ part }) => part)).toEqual([
      { index: 0, count: 2 },
      { index: 1, count: 2 },
    ])
    for (const part of parts) expect(finding.parse(part)).toEqual(part)
    expect(parts[0]!.id).toBe(told.id)
    expect(parts[1]!.id).not.toBe(told.id)
  })
})
