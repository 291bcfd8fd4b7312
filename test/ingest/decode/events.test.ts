/** Runs of workflows, and labels. */
import { describe, expect, it } from 'vitest'
import { decoders } from '../../../stream/ingest/decode/registry.ts'

const T = Date.UTC(2024, 2, 1, 11)
const decode = (format: 'workflow-run' | 'label', json: unknown) =>
  decoders[format].decode(Buffer.from(JSON.stringify(json)), T)

describe('workflow-run', () => {
  const run = {
    name: 'Release 1.2 for customer 7',
    path: '.github/workflows/release.yml@refs/heads/main',
    conclusion: 'failure',
    created_at: '2024-03-01T10:00:00Z',
    run_started_at: '2024-03-01T10:58:30Z',
    updated_at: '2024-03-01T11:00:00Z',
  }
  const delivery = { action: 'completed', workflow_run: run, workflow: { name: 'Release' }, repository: { full_name: 'acme/shop' } } // biome-ignore format: one line
  const ended = (change: object) => decode('workflow-run', { ...delivery, workflow_run: { ...run, ...change } })

  it('reads a run that was completed', () => {
    expect(decode('workflow-run', delivery)).toEqual([
      {
        kind: 'service',
        timeMs: T,
        service: 'acme/shop/Release',
        level: 'error',
        message: 'Release: failure',
        durationMs: 90_000,
        statusCode: undefined,
        traceId: undefined,
      },
    ])
  })

  it.each([
    ['success', 'info'],
    ['timed_out', 'error'],
    ['startup_failure', 'error'],
  ])('%s is %s', (conclusion, level) => expect(ended({ conclusion })).toMatchObject([{ level }]))

  it.each(['cancelled', 'skipped', 'neutral', 'stale', 'action_required', null])('%s gives nothing', (conclusion) => {
    expect(ended({ conclusion })).toEqual([])
  })

  it.each(['requested', 'in_progress'])('%s gives nothing', (action) => {
    expect(decode('workflow-run', { ...delivery, action, workflow_run: { ...run, updated_at: null } })).toEqual([])
  })

  it('does without what may be missing', () => {
    const bare = { ...delivery, workflow: null, repository: undefined, workflow_run: { ...run, name: null, run_started_at: '2024-03-01T12:00:00Z', repository: { full_name: 'acme/shop' } } } // biome-ignore format: one line
    expect(decode('workflow-run', bare)).toMatchObject([{ service: 'acme/shop/release.yml', durationMs: undefined }])
  })

  it.each([
    [[], 'a delivery of workflow_run is a JSON object with action and workflow_run'],
    [{ action: 'completed' }, 'a delivery of workflow_run is a JSON object with action and workflow_run'],
    [{ ...delivery, repository: {} }, 'no repository.full_name, a text that is not empty'],
    [{ ...delivery, workflow_run: { conclusion: 'success' } }, 'no workflow_run.updated_at, an ISO 8601 text'],
  ])('%j is rejected: %s', (json, reason) => expect(decode('workflow-run', json)).toMatchObject({ reason }))
})

describe('label', () => {
  const event = { prediction_id: 'p-1', model: 'churn', version: 3, label: 'stay', time: '2024-03-01T11:00:00Z' }

  it('is a feature of its model', () => {
    expect(decode('label', { ...event, segment: 'eu' })).toEqual([
      {
        kind: 'model',
        timeMs: T,
        model: 'churn',
        version: '3',
        segment: 'eu',
        featureNames: ['label'],
        featureValues: ['stay'],
        prediction: undefined,
        score: undefined,
        outcome: { kind: 'label', predictionId: 'p-1' },
      },
    ])
  })

  it.each([
    [1, '1'],
    [true, 'true'],
    [41.5, 41.5],
    [null, null],
    [[1], null],
  ])('%j becomes %j', (label, value) => {
    expect(decode('label', { ...event, label })).toMatchObject([{ featureValues: [value] }])
  })

  it.each([
    [{ ...event, prediction_id: undefined }, 'no prediction_id: a text that is not empty, or a number'],
    [{ ...event, model: '' }, 'no model or version: both are texts that are not empty'],
    [{ ...event, label: undefined }, 'no label: a text, a number, a truth value or null'],
    ['x', 'a label event is a JSON object'],
  ])('%j is rejected: %s', (json, reason) => expect(decode('label', json)).toMatchObject({ code: 'invalid', reason }))
  it('may come under the name of other languages', () => {
    expect(decode('label', { ...event, prediction_id: undefined, predictionId: 7 })).toHaveLength(1)
  })
})
