import { SentinelError } from '../../errors.ts'
import { beating } from './beating.ts'
import type { BatchContext } from './stage-consumer.ts'

const lookEveryMs = 100

/**
 * Waits for the database, but not beyond the assignment: a statement that is never answered would hold up a stop, and the
 * group with it. What became of it is unknown then; whoever owns the partition next looks at what is stored. A database
 * may take longer than the session: heartbeats go on.
 *
 * @throws DATABASE_UNAVAILABLE when the assignment ends first
 */
export async function whileCurrent<T>(
  context: Pick<BatchContext, 'current' | 'heartbeat'>,
  work: Promise<T>,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const over = new Promise<never>((_, reject) => {
    timer = setInterval(() => {
      if (context.current()) return
      reject(new SentinelError('DATABASE_UNAVAILABLE', 'it did not answer before the partition was given up'))
    }, lookEveryMs)
  })
  work.catch(() => {}) // should it fail when nobody waits any more
  return beating(context, () => Promise.race([work, over])).finally(() => clearInterval(timer))
}
