/** The wall clock as a record, for each partition of `casefile` where something waits. Its time is its append time. */
import { encode } from '../../contract/encoding.ts'
import { idOf } from '../../contract/id.ts'
import type { RespondTask } from '../../contract/stage.ts'
import type { JudgingHandler } from './judging-handler.ts'
import type { RecordProducer } from './producer.ts'

export class Ticker {
  private readonly options: {
    readonly handlers: ReadonlyMap<string, JudgingHandler>
    readonly producer: RecordProducer
    readonly clock: () => number
  }
  private timer: NodeJS.Timeout | undefined
  private isTicking = false

  constructor(options: Ticker['options']) {
    this.options = options
  }

  start(everyMs: number): void {
    this.timer = setInterval(() => void this.tick(), everyMs)
  }

  stop(): void {
    clearInterval(this.timer)
  }

  private async tick(): Promise<void> {
    if (this.isTicking) return
    this.isTicking = true
    try {
      for (const [name, { runner }] of this.options.handlers) {
        if (name.startsWith('respond/') && (runner.task as RespondTask).waiting)
          await this.append(name, runner.context.task)
      }
    } finally {
      this.isTicking = false
    }
  }

  private async append(name: string, partition: number): Promise<void> {
    const id = idOf('tick', name, this.options.clock())
    const value = encode({ type: 'tick' })
    const headers = {
      ce_specversion: '1.0',
      ce_id: id,
      ce_type: 'sentinel.tick.v1',
      'content-type': 'application/json',
    }
    // the next one comes soon: a tick that does not get through is not worth a retry
    await this.options.producer.send([{ topic: 'casefile', partition, key: new Uint8Array(), value, headers }])
  }
}
