import { describe, expect, it } from 'vitest'
import { encode } from '../../stream/contract/encoding.ts'
import { type Incident, incident } from '../../stream/contract/incident.ts'
import { fitIncident, INCIDENT_BYTES_MAX } from '../../stream/respond/incident-size.ts'
import { Bench, start } from './bench.ts'

const escaped = (index: number) => `${'\u0001'.repeat(252)}${String(index).padStart(4, '0')}`

/** Fifty entities of fifty features each, and a full narrative: every character takes six bytes. */
function widest(): Incident {
  const bench = new Bench()
  bench.finds({ timeMs: start })
  const [opened] = bench.incidents()
  const entities = Array.from({ length: 50 }, (_, index) => ({
    ...opened!.entities[0]!,
    entity: escaped(index),
    features: Array.from({ length: 50 }, (_, feature) => escaped(feature)),
  }))
  const narrative = Array.from({ length: 80 }, (_, line) => `${line} ${'\u0001'.repeat(990)}`)
  return { ...opened!, entities, narrative }
}

describe('the record of an incident', () => {
  it('fits a message, whatever its names are, and counts what was left out', () => {
    const whole = widest()
    expect(encode(whole).byteLength).toBeGreaterThan(4 * INCIDENT_BYTES_MAX)
    const fitted = fitIncident(whole)
    expect(encode(fitted).byteLength).toBeLessThanOrEqual(INCIDENT_BYTES_MAX)
    expect(incident.parse(fitted)).toEqual(fitted)
    const kept = fitted.entities.reduce((count, { features }) => count + features.length, 0)
    expect(fitted.omitted).toEqual({ features: 2_500 - kept, lines: 80 - fitted.narrative.length, remediations: 0 })
    expect(fitted.entities.map(({ entity }) => entity)).toEqual(whole.entities.map(({ entity }) => entity))
  })

  it('keeps the beginning and the last remediation', () => {
    const whole = widest()
    const fitted = fitIncident(whole, 150_000)
    expect(fitted.narrative).toEqual([...whole.narrative.slice(0, 2), ...whole.narrative.slice(-2)])
  })

  it('is left as it is where it fits', () => {
    const bench = new Bench()
    bench.finds({})
    const [opened] = bench.incidents()
    expect(fitIncident(opened!)).toBe(opened)
    expect(bench.incident().omitted).toBeUndefined()
  })

  it('is cut as it goes out, while respond knows all of it', () => {
    const bench = new Bench({ maxEntities: 50 })
    const votes = Array.from({ length: 50 }, (_, index) => ({ feature: escaped(index) }))
    for (let index = 0; index < 20; index++) bench.find({ entity: `service:${escaped(index).slice(10)}`, votes })
    bench.watermark(start)
    const last = bench.incident()
    expect(encode(last).byteLength).toBeLessThanOrEqual(INCIDENT_BYTES_MAX)
    expect(last.omitted!.features).toBeGreaterThan(0)
    expect(last.entities.length).toBe(20)
  })
})
