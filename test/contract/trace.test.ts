import { describe, expect, it } from 'vitest'
import { idOf } from '../../stream/contract/id.ts'
import type { Emission } from '../../stream/contract/stage.ts'
import { formatTraceparent, incidentSpanId, parseTraceparent, traceOf } from '../../stream/contract/trace.ts'

const findingId = idOf('finding', 1)
const incidentId = idOf('incident', findingId)
const emission = (id: string, body: object): Pick<Emission, 'id' | 'body'> => ({ id, body: body as Emission['body'] })

describe('trace context of our records', () => {
  it('puts a finding, the incident that it opens, and all that is about it into one trace', () => {
    const first = idOf('incident-version', incidentId, 1)
    const finding = traceOf(emission(findingId, { type: 'finding', id: findingId }))
    const opened = traceOf(emission(first, { type: 'incident', id: incidentId, version: 1 }))
    const command = traceOf(emission(idOf('command', 1), { type: 'command', id: idOf('command', 1), incidentId }))
    expect([finding.traceId, opened.traceId, command.traceId]).toEqual([incidentId, incidentId, incidentId])
    expect(opened.spanId).toBe(incidentSpanId(incidentId))
    expect(new Set([finding.spanId, opened.spanId, command.spanId]).size).toBe(3)
    expect(finding.isSampled).toBe(true)
  })

  it('gives every other record a trace of its own, not sampled', () => {
    const id = idOf('pane', 7)
    expect(traceOf(emission(id, { type: 'pane', id }))).toEqual({ traceId: id, spanId: id.slice(16), isSampled: false })
    const foreign = traceOf(emission('not-hex', { type: 'tick' }))
    expect(parseTraceparent(formatTraceparent(foreign))).toEqual(foreign)
  })

  it('takes no trace from a record that holds none', () => {
    const id = idOf('audit', 1)
    expect(traceOf(emission(id, { type: 'audit', incidentId: null })).traceId).toBe(id)
    expect(traceOf(emission(id, { type: 'decision', incidentId: 'x-01' })).traceId).toBe(id)
  })

  it.each([
    undefined,
    '',
    '00-00000000000000000000000000000000-00f067aa0ba902b7-01',
    '00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01',
    '01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
    '00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01',
    '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01,x',
  ])('does not read %s', (header) => {
    expect(parseTraceparent(header)).toBeNull()
  })

  it('reads the flag of who recorded the trace', () => {
    const header = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0'
    expect(parseTraceparent(`${header}3`)?.isSampled).toBe(true)
    expect(parseTraceparent(`${header}2`)?.isSampled).toBe(false)
  })
})
