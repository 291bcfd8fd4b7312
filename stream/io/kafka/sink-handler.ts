import type { LogRecord } from '../../contract/stage.ts'
import { SentinelError } from '../../errors.ts'
import type { BatchContext, PartitionHandler } from './stage-consumer.ts'
import { whileCurrent } from './while-current.ts'

/** Rows and the next offset in one transaction; records below the stored offset are passed over. */
export interface SinkPort {
  write(records: readonly LogRecord[]): Promise<void>
}

const rowsMax = 1_000
const retryDelayMs = 1_000

/** Writes one partition of a public topic to the store. While the database is away the partition waits. */
export class SinkHandler implements PartitionHandler {
  private readonly sink: SinkPort
  private readonly onFailure: (error: Error) => void
  private position: number

  constructor(options: { sink: SinkPort; start: number; onFailure: (error: Error) => void }) {
    this.sink = options.sink
    this.position = options.start
    this.onFailure = options.onFailure
  }

  get next(): number {
    return this.position
  }

  async takeBatch(records: Iterable<LogRecord>, context: BatchContext): Promise<void> {
    let chunk: LogRecord[] = []
    for (const record of records) {
      if (record.offset < this.position) continue
      chunk.push(record)
      if (chunk.length < rowsMax) continue
      if (!(await this.write(chunk, context))) return
      chunk = []
    }
    if (chunk.length > 0 && !(await this.write(chunk, context))) return
    await context.commit({ offset: this.position, metadata: '' })
    await context.heartbeat()
  }

  async close(): Promise<void> {}

  private async write(chunk: readonly LogRecord[], context: BatchContext): Promise<boolean> {
    while (context.current()) {
      try {
        context.failpoint?.('write/before')
        await whileCurrent(context, this.sink.write(chunk))
        context.failpoint?.('write/after')
        this.position = chunk.at(-1)!.offset + 1
        return true
      } catch (error) {
        this.onFailure(error as Error)
        if (!(error instanceof SentinelError && error.canRetry)) throw error
        await context.heartbeat()
        if (context.current()) await new Promise((resolve) => setTimeout(resolve, retryDelayMs))
      }
    }
    return false
  }
}
