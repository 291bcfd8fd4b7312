import type { SchemaAnswer } from '../../contract/stage.ts'
import { SentinelError } from '../../errors.ts'
import type { Schemas } from '../../runtime/schemas.ts'
import type { BatchContext } from './stage-consumer.ts'

/** Between two heartbeats while an answer is on its way. */
const heartbeatEveryMs = 500

/**
 * The schema that a step asks for. What is known costs nothing; a question to the registry goes along with heartbeats.
 *
 * @returns undefined where the step has to be given up: the registry is away, or the assignment has ended
 */
export async function answerOf(id: number, schemas: Schemas, context: BatchContext): Promise<SchemaAnswer | undefined> {
  const known = schemas.known(id)
  if (known !== undefined) return known
  const asking = schemas.ask(id).then(
    (answer) => ({ answer }),
    (error: unknown) => ({ error }),
  )
  for (;;) {
    let timer: NodeJS.Timeout | undefined
    const pause = new Promise<null>((resolve) => {
      timer = setTimeout(resolve, heartbeatEveryMs, null)
    })
    const outcome = await Promise.race([asking, pause])
    clearTimeout(timer)
    await context.heartbeat()
    if (!context.current()) return undefined
    if (outcome === null) continue
    if ('answer' in outcome) return outcome.answer
    if (outcome.error instanceof SentinelError && outcome.error.canRetry) return undefined
    throw outcome.error
  }
}
