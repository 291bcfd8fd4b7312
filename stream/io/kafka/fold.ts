/** Folds records into a runner and sends what it made of them: what the handlers of all stages share. */
import type { LogRecord } from '../../contract/stage.ts'
import type { TopicName } from '../../contract/topics.ts'
import { SentinelError } from '../../errors.ts'
import { type IngestRunner, JudgingRunner, type LastOut } from '../../runtime/task-runner.ts'
import type { RecordProducer } from './producer.ts'
import type { BatchContext } from './stage-consumer.ts'

/** Emissions are sent when so many wait, so that a burst is not held in memory whole. */
const outboxMax = 2_000
const retryDelayMs = 200

type Runner = IngestRunner | JudgingRunner

/**
 * Folds one record; a step is finished even when the group rebalances in the middle of it. What waits to be sent stays
 * below a bound also within a long step: a heartbeat may close panes of thousands of entities.
 */
export async function fold(
  runner: Runner,
  record: LogRecord,
  context: BatchContext,
  send: () => Promise<void>,
): Promise<void> {
  const step = runner.accept(record)
  for (let slices = 1; step.next().done !== true; slices++) {
    if (slices % 4 === 0) await context.heartbeat()
    if (runner.pendingCount > outboxMax) await send()
  }
  if (runner.pendingCount > outboxMax) await send()
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
    const { sent, error } = await producer.send(runner.pending())
    runner.acknowledge(sent)
    if (error === undefined) continue
    if (isTooLarge(error)) {
      const text = `${runner.context.writer} made a record that the broker refuses as too large: raise max.message.bytes of our topics.`
      throw new SentinelError('INVARIANT_BROKEN', text, { cause: error })
    }
    await context.heartbeat()
    await new Promise((resolve) => setTimeout(resolve, retryDelayMs))
    if (readLastOut !== undefined && runner instanceof JudgingRunner) runner.dropWritten(await readLastOut())
  }
}

/** What no repetition mends. */
function isTooLarge(error: Error): boolean {
  const { type, cause } = error as { type?: string; cause?: unknown }
  return type === 'MESSAGE_TOO_LARGE' || (cause instanceof Error && isTooLarge(cause))
}
