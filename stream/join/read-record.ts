/** Reads what is on `outcomes`: what is no record of ours is refused, and the task goes on. */
import { decodeJson } from '../contract/encoding.ts'
import { type OutcomesRecord, outcomesRecord } from '../contract/outcome.ts'
import type { LogRecord } from '../contract/stage.ts'
import { partitionOfKey } from '../contract/topics.ts'
import { isWrittenBy } from '../contract/written-by.ts'

/** Why a record is none of ours; fixed text, for people. */
export interface RefusedRecord {
  readonly refused: string
}

/** @param of.task number of the partition of `outcomes`, of `taskCount` */
export function readOutcomesRecord(
  record: Pick<LogRecord, 'value' | 'headers'>,
  of: { readonly task: number; readonly taskCount: number },
): OutcomesRecord | RefusedRecord {
  if (record.value === null) return { refused: 'it is empty' }
  let value: unknown
  try {
    value = decodeJson(record.value)
  } catch {
    return { refused: 'it is no JSON' }
  }
  const checked = outcomesRecord.safeParse(value)
  if (!checked.success) {
    const [issue] = checked.error.issues
    return {
      refused: `it has not the form of a record: ${issue?.path.join('.') ?? ''} ${issue?.code ?? ''}`.slice(0, 500),
    }
  }
  const body = checked.data
  if (body.type === 'incarnation') return body
  if (!isWrittenBy(record.headers['sentinel_lineage'], body.source, body.partition)) {
    return { refused: `a ${body.type} of a source partition whose task did not send it` }
  }
  if (body.type !== 'outcome')
    return body.partition < body.partitionCount ? body : { refused: 'a partition beyond its count' }
  if (partitionOfKey(body.predictionId, of.taskCount) === of.task) return body
  return { refused: 'of a prediction that belongs into another partition' }
}
