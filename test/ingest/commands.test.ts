import { describe, expect, it } from 'vitest'
import { idOf } from '../../stream/contract/id.ts'
import { command } from '../../stream/contract/incident.ts'
import { rebaseline } from '../../stream/contract/pane.ts'
import type { Emission } from '../../stream/contract/stage.ts'
import { createCommandsTask } from '../../stream/ingest/commands.ts'

const slideMs = 300_000
const issuedMs = Date.UTC(2026, 0, 5, 12, 1)
const given = command.parse({
  ...{ type: 'command', id: 'a'.repeat(32), commandId: 'a'.repeat(32), incidentId: 'b'.repeat(32), tenant: 'shop' },
  ...{ purpose: 're-baseline', runbook: 're-baseline', step: 0, action: 're-baseline', target: 'service:payment' },
  ...{ parameters: { features: '["duration_ms"]' }, proposalDigest: 'c'.repeat(64), notAfterMs: 1 },
  ...{ approvedBy: ['ann'], policy: 'approve' },
})

/** What one record of `commands` makes. */
function made(value: unknown): Emission[] {
  const task = createCommandsTask({ partition: 3, startOffset: 0, slideMs })
  const record = { topic: 'commands', partition: 3, offset: 7, timestampMs: 0, key: null }
  const headers = { ce_time: new Date(issuedMs).toISOString() }
  return [...(task.step({ ...record, headers, value: Buffer.from(JSON.stringify(value)) }) as Iterable<Emission>)]
}

describe('a command of the worker’s own', () => {
  it('becomes a re-baseline for the entity, two slides after it was issued', () => {
    const [emission, ...more] = made(given)
    expect(more).toEqual([])
    expect(emission).toMatchObject({ topic: 'panes', route: 'key', key: 'shop/service:payment' })
    expect(emission!.id).toBe(idOf('re-baseline', given.id))
    expect(rebaseline.parse(emission!.body)).toMatchObject({
      ...{ id: given.id, partition: 3, entity: 'service:payment', features: ['duration_ms'] },
      atMs: Date.UTC(2026, 0, 5, 12, 15),
    })
  })

  it('is not made of what executors are commanded', () => {
    expect(made({ ...given, purpose: 'remedy', action: 'restart' })).toEqual([])
    expect(made({ ...given, purpose: 'rollback', parameters: {} })).toEqual([])
  })

  it.each([
    ['without features', { ...given, parameters: {} }],
    ['with features that are no list', { ...given, parameters: { features: 'duration_ms' } }],
    ['without a target', { ...given, target: undefined }],
    ['of no known purpose', { type: 'command' }],
  ])('%s is a dead letter', (_, value) => {
    expect(made(value).map(({ topic }) => topic)).toEqual(['dead-letters'])
  })
})
