/**
 * GitHub's webhook `workflow_run`. A workflow of a repository is a service, `<owner>/<repository>/<workflow>`; a run that
 * was completed is one row of it: its duration from `run_started_at` to `updated_at`, an error where the conclusion is
 * `failure`, `timed_out` or `startup_failure`. What says nothing of whether the workflow works gives no row, and is no
 * rejection: deliveries of other actions, and runs that were cancelled, skipped, left neutral, stale or waiting.
 */
import type { Decoder, Observation, Rejected } from './decoder.ts'
import { isObject, type JsonObject, jsonDecoder, textMember } from './json.ts'
import { readTime } from './time.ts'

const notDelivery: Rejected = {
  code: 'invalid',
  reason: 'a delivery of workflow_run is a JSON object with action and workflow_run',
}
const noRepository: Rejected = { code: 'invalid', reason: 'no repository.full_name, a text that is not empty' }
const noTime: Rejected = { code: 'invalid', reason: 'no workflow_run.updated_at, an ISO 8601 text' }

const nothing: readonly Observation[] = []

/** Conclusions that tell whether the workflow works, and whether it did. */
const isFailure: ReadonlyMap<unknown, boolean> = new Map([
  ['success', false],
  ['failure', true],
  ['timed_out', true],
  ['startup_failure', true],
])

/** Of the workflow, else of its file: a run may be named after what it was for. */
function workflowOf(json: JsonObject, run: JsonObject): string {
  const { workflow } = json
  const name = isObject(workflow) ? textMember(workflow['name']) : undefined
  const file = textMember(run['path'])?.split('@')[0]?.split('/').at(-1)
  return name ?? textMember(run['name']) ?? file ?? '(workflow)'
}

function durationOf(run: JsonObject, endMs: number): number | undefined {
  const startMs = readTime(run['run_started_at'] ?? run['created_at'])
  return startMs === undefined || startMs > endMs ? undefined : endMs - startMs
}

function read(json: unknown): readonly Observation[] | Rejected {
  if (!isObject(json)) return notDelivery
  const { action, workflow_run: run, repository } = json
  if (textMember(action) === undefined || !isObject(run)) return notDelivery
  const owner = isObject(repository) ? repository : run['repository']
  const fullName = isObject(owner) ? textMember(owner['full_name']) : undefined
  if (fullName === undefined) return noRepository
  const conclusion = run['conclusion']
  const failed = isFailure.get(conclusion)
  if (action !== 'completed' || failed === undefined) return nothing
  const timeMs = readTime(run['updated_at'])
  if (timeMs === undefined) return noTime
  const workflow = workflowOf(json, run)
  return [
    {
      kind: 'service',
      timeMs,
      service: `${fullName}/${workflow}`,
      level: failed ? 'error' : 'info',
      message: `${workflow}: ${conclusion as string}`,
      durationMs: durationOf(run, timeMs),
      statusCode: undefined,
      traceId: undefined,
    },
  ]
}

export const workflowRun: Decoder = jsonDecoder('workflow-run', read)
