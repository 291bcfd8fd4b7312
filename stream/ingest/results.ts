/** Results of commands pass through the ingest group to `casefile`, without panes. */
import { commandResult } from '../contract/case.ts'
import { decodeJson } from '../contract/encoding.ts'
import { idOf } from '../contract/id.ts'
import type { DeadLetter } from '../contract/ingest-records.ts'
import type { CommitPoint, IngestTask, LogRecord, Step } from '../contract/stage.ts'
import { isEventTime } from './decode/time.ts'

const deadLetterBytesMax = 262_144

/** @param options.startOffset where to go on: the group's commit, or the earliest offset */
export function createResultsTask(options: { partition: number; startOffset: number }): IngestTask {
  let position = options.startOffset
  const counts = { accepted: 0, rejected: 0, late: 0, skewed: 0 }

  function* step(record: LogRecord): Step {
    position = record.offset + 1
    const result = readResult(record.value)
    // a producer may stamp anything, and not every number is a date
    const timeMs = isEventTime(record.timestampMs) ? record.timestampMs : 0
    if ('reason' in result) {
      counts.rejected++
      const origin = { source: 'command-results', partition: options.partition, offset: record.offset }
      const id = idOf('dead-letter', origin.source, origin.partition, origin.offset)
      const body: DeadLetter = {
        type: 'dead-letter',
        id,
        origin,
        code: 'invalid',
        reason: result.reason,
        value:
          record.value === null ? null : Buffer.from(record.value.subarray(0, deadLetterBytesMax)).toString('base64'),
        valueBytes: record.value?.length ?? 0,
      }
      yield { topic: 'dead-letters', route: 'key', key: id, id, timeMs, body }
      return
    }
    counts.accepted++
    yield {
      topic: 'casefile',
      route: 'key',
      key: result.value.tenant,
      id: idOf('command-result', options.partition, record.offset),
      timeMs,
      body: result.value,
    }
  }

  return {
    step,
    opening: () => [],
    endOfBatch: () => [],
    // a source without event time: nothing waits for it
    applyIdle: function* () {},
    canDeclareIdle: () => false,
    commitPoint: (): CommitPoint => ({ offset: position, metadata: '' }),
    get position() {
      return position
    },
    watermarkMs: null,
    pendingIdle: null,
    counts,
    get read() {
      return counts.accepted + counts.rejected
    },
    held: 0,
    openPanes: 0,
  }
}

function readResult(value: Uint8Array | null) {
  if (value === null) return { reason: 'a command result may not be empty' }
  try {
    const parsed = commandResult.safeParse(decodeJson(value))
    if (parsed.success) return { value: parsed.data }
    const issue = parsed.error.issues[0]
    return { reason: `${issue?.path.join('.') || 'record'}: ${issue?.message ?? 'invalid'}`.slice(0, 500) }
  } catch (error) {
    return { reason: `not JSON: ${(error as Error).message}`.slice(0, 500) }
  }
}
