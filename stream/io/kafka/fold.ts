/** Folds records into a runner and sends what it made of them: what the handlers of all stages share. */
import type { LogRecord } from '../../contract/stage.ts'
import type { TopicName } from '../../contract/topics.ts'
import { SentinelError } from '../../errors.ts'
import { noSchemas, type Schemas } from '../../runtime/schemas.ts'
import { type IngestRunner, JudgingRunner, type LastOut, type RunnerStep } from '../../runtime/task-runner.ts'
import { answerOf } from './answer.ts'
import { beating } from './beating.ts'
import type { RecordProducer } from './producer.ts'
import type { BatchContext } from './stage-consumer.ts'

/** Emissions are sent when so many wait, so that a burst is not held in memory whole. */
export const outboxMax = 2_000
/**
 * Bytes of records that are folded between two heartbeats: a record of a megabyte takes tens of milliseconds, and a fetch
 * may hold hundreds of them.
 */
export const turnBytes = 1_000_000
const retryDelayMs = 200

type Runner = IngestRunner | JudgingRunner

/**
 * Folds one record; a step is finished even when the group rebalances in the middle of it.
 *
 * @returns false for a record that has to wait for its schema: nothing of it was folded
 */
export async function fold(
  runner: Runner,
  record: LogRecord,
  context: BatchContext,
  send: () => Promise<void>,
  schemas: Schemas = noSchemas,
): Promise<boolean> {
  return finish(runner, runner.accept(record), context, send, schemas)
}

/**
 * Finishes a step slice by slice. What waits to be sent stays below a bound also within a long one: a heartbeat may close
 * panes of thousands of entities.
 *
 * @returns false where a schema that it asks for is not there yet: it was given up before it changed anything
 */
export async function finish(
  runner: Runner,
  step: RunnerStep<unknown>,
  context: BatchContext,
  send: () => Promise<void>,
  schemas: Schemas = noSchemas,
): Promise<boolean> {
  let next = step.next()
  for (let slices = 1; next.done !== true; slices++) {
    if (next.value !== null) {
      const answer = await answerOf(next.value.id, schemas, context)
      if (answer === undefined) {
        step.return(undefined)
        return false
      }
      next = step.next(answer)
      continue
    }
    if (slices % 4 === 0) await context.heartbeat()
    if (runner.pendingCount > outboxMax) await send()
    next = step.next()
  }
  context.failpoint?.('fold')
  if (runner.pendingCount > outboxMax) await send()
  return true
}

/**
 * Sends all that is pending, again and again while the broker is away. Before records of a topic with one writer are
 * repeated, the last one that is out is read: an answer may have been lost on the way.
 */
export async function flush(
  runner: Runner,
  producer: RecordProducer,
  context: BatchContext,
  readLastOut?: () => Promise<ReadonlyMap<TopicName, LastOut>>,
): Promise<void> {
  while (runner.pendingCount > 0) {
    if (!context.current()) return
    context.failpoint?.('send/before')
    const { sent, error } = await beating(context, () => producer.send(runner.pending()))
    context.failpoint?.('send/after')
    runner.acknowledge(sent)
    if (error === undefined) continue
    if (isTooLarge(error)) {
      const text = `${runner.context.writer} made a record that the broker refuses as too large: raise max.message.bytes of our topics.`
      throw new SentinelError('INVARIANT_BROKEN', text, { cause: error })
    }
    await context.heartbeat()
    await new Promise((resolve) => setTimeout(resolve, retryDelayMs))
    if (readLastOut !== undefined && runner instanceof JudgingRunner)
      runner.dropWritten(await beating(context, readLastOut))
  }
}

/** What no repetition mends. */
function isTooLarge(error: Error): boolean {
  const { type, cause } = error as { type?: string; cause?: unknown }
  return type === 'MESSAGE_TOO_LARGE' || (cause instanceof Error && isTooLarge(cause))
}
