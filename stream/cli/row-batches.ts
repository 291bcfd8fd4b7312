/** Rows in batches for a sender, from a source that may be slower than he is. */

export interface BatchOptions {
  /** Rows of a full batch (count). */
  readonly rowsMax: number
  /** For how long the first row of a batch waits for others (ms). */
  readonly waitMs: number
  /** Ends the batches; what was read by then is the last one. */
  readonly signal: AbortSignal
}

/**
 * Rows in order, a batch when it is full, when its first row has waited, when the rows end or fail, and when the signal
 * ends them. A read that is in flight when the signal comes is left to itself: the caller ends what the rows come from.
 *
 * @returns batches of at least one row; memory is bounded by one batch
 * @throws what the rows throw, after the batch of those before it
 */
export async function* rowBatches<Row>(rows: AsyncIterable<Row>, options: BatchOptions): AsyncGenerator<Row[]> {
  const { rowsMax, waitMs, signal } = options
  const reader = rows[Symbol.asyncIterator]()
  let reading: Promise<IteratorResult<Row>> | undefined
  for (let hasEnded = false; !hasEnded; ) {
    const batch: Row[] = []
    const alarm = alarmOf(signal)
    try {
      while (batch.length < rowsMax) {
        reading ??= reader.next()
        reading.catch(() => {}) // it may fail when nobody waits for it any more
        const found = await Promise.race([reading, alarm.rung])
        if (found === null) break
        reading = undefined
        hasEnded = found.done === true
        if (found.done === true) break
        batch.push(found.value)
        if (batch.length === 1) alarm.setIn(waitMs)
      }
    } catch (error) {
      // the next round throws it again: the reading that failed is kept
      if (batch.length === 0) throw error
    } finally {
      alarm.off()
    }
    if (batch.length > 0) yield batch
    if (signal.aborted) return
  }
}

/** Rings once: at its time, or when the signal comes. One for each batch: a race leaves a trace on what it waits for. */
function alarmOf(signal: AbortSignal) {
  let timer: NodeJS.Timeout | undefined
  let ring!: () => void
  const rung = new Promise<null>((resolve) => {
    ring = () => resolve(null)
  })
  if (signal.aborted) ring()
  signal.addEventListener('abort', ring)
  return {
    rung,
    setIn(waitMs: number) {
      timer = setTimeout(ring, waitMs)
    },
    off() {
      clearTimeout(timer)
      signal.removeEventListener('abort', ring)
    },
  }
}
