/** Results of commands pass through the ingest group to `casefile`, without panes. */
import { commandResult } from '../contract/case.ts'
import { idOf } from '../contract/id.ts'
import type { IngestTask } from '../contract/stage.ts'
import { createCarryingTask } from './carried.ts'

/** @param options.startOffset where to go on: the group's commit, or the earliest offset */
export function createResultsTask(options: { partition: number; startOffset: number }): IngestTask {
  return createCarryingTask({
    ...options,
    topic: 'command-results',
    read(value) {
      const parsed = commandResult.safeParse(value)
      if (parsed.success) return { value: parsed.data }
      const issue = parsed.error.issues[0]
      return { reason: `${issue?.path.join('.') || 'record'}: ${issue?.message ?? 'invalid'}`.slice(0, 500) }
    },
    carry: (body, { offset, timeMs }) => [
      {
        topic: 'casefile',
        route: 'key',
        key: body.tenant,
        id: idOf('command-result', options.partition, offset),
        timeMs,
        body,
      },
    ],
  })
}
