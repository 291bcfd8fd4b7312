/** Feeds a detect task with records as a log would, and collects what it says. */
import type { TaskWatermark } from '../../stream/contract/case.ts'
import { detectConfig } from '../../stream/contract/configuration.ts'
import { canonicalJson, encode } from '../../stream/contract/encoding.ts'
import type { Finding, Measurement } from '../../stream/contract/finding.ts'
import type { PanesRecord } from '../../stream/contract/pane.ts'
import type { Emission } from '../../stream/contract/stage.ts'
import { createDetectTask, type DetectTask } from '../../stream/detect/detect.ts'

export type ConfigInput = Parameters<typeof detectConfig.parse>[0]

export class Harness {
  task: DetectTask
  readonly emissions: Emission[] = []
  readonly parts = new Map<string, Uint8Array>()
  readonly #config
  #offset = 0

  constructor(config: ConfigInput = {}) {
    this.#config = detectConfig.parse(config)
    this.task = this.#create(null)
  }

  #create(parts: ReadonlyMap<string, Uint8Array> | null): DetectTask {
    return createDetectTask({ config: this.#config, digest: 'test', task: 0, taskCount: 1, parts })
  }

  feed(record: PanesRecord): void {
    const { source, partition } = record as { source?: string; partition?: number }
    this.feedBytes(encode(record), `ingest/${source}/${partition}:0:0:`)
  }

  feedBytes(value: Uint8Array | null, lineage = ''): void {
    const record = {
      topic: 'panes',
      partition: 0,
      offset: this.#offset++,
      timestampMs: 0,
      key: null,
      value,
      headers: { sentinel_lineage: lineage },
    }
    for (const emission of this.task.step(record)) if (emission !== null) this.emissions.push(emission)
  }

  endBatch(): void {
    this.emissions.push(...this.task.endOfBatch())
  }

  checkpoint(): void {
    for (const [key, bytes] of this.task.changes()) {
      if (bytes === null) this.parts.delete(key)
      else this.parts.set(key, bytes)
    }
  }

  /** A crash right after a checkpoint: the next task has nothing but its parts. */
  restart(): void {
    this.checkpoint()
    this.task = this.#create(new Map([...this.parts].map(([key, bytes]) => [key, Uint8Array.from(bytes)])))
  }

  join(
    source: string,
    partitionCount: number,
    options: { paneMs?: number; partitioning?: 'any' | 'keyed' } = {},
  ): void {
    const { paneMs = 10_000, partitioning = 'any' } = options
    for (let partition = 0; partition < partitionCount; partition++) {
      const declared = { source, partition, partitionCount, startOffset: 0, paneMs, partitioning, digest: 'source' }
      this.feed({ type: 'source-joined', ...declared })
    }
  }

  heartbeat(source: string, partition: number, partitionCount: number, watermarkMs: number): void {
    this.feed({ type: 'heartbeat', source, partition, partitionCount, watermarkMs })
  }

  get measurements(): Measurement[] {
    return this.emissions.flatMap(({ body }) => (body.type === 'measurement' ? [body as Measurement] : []))
  }

  get findings(): Finding[] {
    return this.emissions.flatMap(({ body }) => (body.type === 'finding' ? [body as Finding] : []))
  }

  get watermarks(): TaskWatermark[] {
    return this.emissions.flatMap(({ body }) => (body.type === 'task-watermark' ? [body as TaskWatermark] : []))
  }

  /** Measurements and findings, in canonical bytes. */
  get said(): string[] {
    return this.emissions
      .filter(({ topic, body }) => topic === 'measurements' || body.type === 'finding')
      .map(canonicalJson)
  }
}
