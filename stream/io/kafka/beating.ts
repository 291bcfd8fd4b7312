import type { BatchContext } from './stage-consumer.ts'

const beatEveryMs = 1_000

/** Heartbeats go on while something is waited for that may take longer than the session. */
export async function beating<T>(context: Pick<BatchContext, 'heartbeat'>, work: () => Promise<T>): Promise<T> {
  const alive = setInterval(() => void context.heartbeat(), beatEveryMs)
  try {
    return await work()
  } finally {
    clearInterval(alive)
  }
}
