/**
 * Runs recorded history through the same topology in memory. The source records come in with their own offsets, idle
 * declarations are applied at their recorded positions, and recorded answers (decisions, results, ticks) at the
 * frontier that the audit names: so findings and incidents come out under the same ids with the same bytes.
 */
import type { Incarnation } from '../contract/pane.ts'
import type { IdleDeclaration, LogRecord, SchemaAnswer } from '../contract/stage.ts'
import type { TopicName } from '../contract/topics.ts'
import type { OutgoingRecord } from './emission.ts'
import { LocalPipeline, type LocalTask } from './local.ts'
import type { RecordedSwitch } from './recorded-switches.ts'
import type { IngestRunner } from './task-runner.ts'
import type { KnownConfigurations, Pipeline } from './tasks.ts'

/** A record of `casefile` that came from a person, an executor or the clock. */
export interface RecordedAnswer {
  readonly partition: number
  readonly record: LogRecord
  /** Frontier of the task when the live run applied it. */
  readonly frontierMs: number | null
}

/** A command by which a person had features of an entity begin anew. */
export interface RecordedRebaseline {
  readonly record: LogRecord
  /** End of the first slide that was judged so; null while detect had not come to it. */
  doneMs: number | null
}

export interface ReplayOptions {
  readonly pipeline: Pipeline
  readonly sourcePartitions: Readonly<Record<string, number>>
  readonly partitions: Readonly<Record<TopicName, number>>
  /** By `source/partition`. */
  readonly startOffsets: ReadonlyMap<string, number>
  /** By `source/partition`, in order of position. */
  readonly idles: ReadonlyMap<string, readonly IdleDeclaration[]>
  /** By `source/partition`: the position at which it was read no more. */
  readonly departures?: ReadonlyMap<string, number>
  /** Recorded switches of configurations, in the order of each task's log. The replay begins under `pipeline`, before all of them. */
  readonly switches?: readonly RecordedSwitch[]
  /** The configurations that they name. */
  readonly known?: KnownConfigurations
  readonly answers: readonly RecordedAnswer[]
  /** Known beforehand: each holds from the event time at which the live run took it up. */
  readonly rebaselines?: readonly RecordedRebaseline[]
  readonly publicKeys: Incarnation['publicKeys']
  /** Schemas that records name; all of those that a record names are known when it is fed. */
  readonly schemas?: (id: number) => SchemaAnswer | undefined
  /** Sees every record that a task sends. */
  readonly observe: (record: OutgoingRecord) => void
}

/** Records folded before what came of them is carried on through detect and respond. */
const pumpEvery = 500

export class Replay {
  private readonly pipeline: LocalPipeline
  private readonly idles: Map<string, IdleDeclaration[]>
  private readonly departures: Map<string, number>
  private readonly tasks = new Map<string, LocalTask>()
  private sincePump = 0

  constructor(options: ReplayOptions) {
    this.pipeline = new LocalPipeline({
      pipeline: options.pipeline,
      sourcePartitions: options.sourcePartitions,
      partitions: options.partitions,
      startOffsets: options.startOffsets,
      publicKeys: options.publicKeys,
      keepOnly: [],
      ...(options.known === undefined ? {} : { known: options.known }),
      observe: options.observe,
      ...(options.schemas === undefined ? {} : { schemas: options.schemas }),
      clock: () => 0, // nothing here may depend on when it runs
    })
    this.idles = new Map([...options.idles].map(([key, list]) => [key, [...list]]))
    this.departures = new Map(options.departures ?? [])
    for (const task of this.pipeline.tasks) {
      if (task.stage === 'ingest') this.tasks.set(task.name.slice('ingest/'.length), task)
    }
    const commands = this.pipeline.topic('commands')
    for (const { record, doneMs } of options.rebaselines ?? []) {
      const partition = record.partition % options.partitions.commands
      const headers = { ...record.headers, ...(doneMs !== null && { sentinel_done: String(doneMs) }) }
      this.pipeline.log.append(commands, partition, { ...appended(record), headers })
    }
    // before anything is judged: each begins at its own event time
    for (const { topic, partition, record } of options.switches ?? []) {
      if (topic === 'panes') this.pipeline.log.append(this.pipeline.topic('panes'), partition, appended(record))
    }
    for (const { partition, record, frontierMs } of answersOf(options)) {
      const headers = {
        ...record.headers,
        sentinel_offset: String(record.offset),
        // before the first frontier an answer was applied as it came
        ...(frontierMs === null ? {} : { sentinel_frontier: String(frontierMs) }),
      }
      this.pipeline.log.append(this.pipeline.topic('casefile'), partition, { ...appended(record), headers })
    }
    this.pipeline.pump()
  }

  /** Folds one source record at its own offset. Records of one partition come in order. */
  feed(source: string, record: LogRecord): void {
    const key = `${source}/${record.partition}`
    const task = this.tasks.get(key)
    if (task === undefined || this.departs(key, task, record.offset)) return
    this.applyIdles(key, task, record.offset)
    this.pipeline.fold(task, record)
    if (++this.sincePump >= pumpEvery) this.carryOn()
  }

  /** Applies what was declared after the last record, and carries everything through. Open panes stay open. */
  finish(): void {
    for (const [key, task] of [...this.tasks]) {
      if (!this.departs(key, task, Number.POSITIVE_INFINITY)) this.applyIdles(key, task, Number.POSITIVE_INFINITY)
    }
    this.carryOn()
  }

  /** Events that came after their pane was closed: most of a history that is not in order of time. */
  get lateEvents(): number {
    let late = 0
    for (const { runner } of this.tasks.values()) late += (runner as IngestRunner).task.counts.late
    return late
  }

  /** Up to where results are comparable: the lowest frontier of respond. */
  get frontierMs(): number | null {
    return this.pipeline.frontierMs
  }

  /** What was read no more from a position on; records that came later are of no concern. */
  private departs(key: string, task: LocalTask, reached: number): boolean {
    const position = this.departures.get(key)
    if (position === undefined || reached < position) return false
    this.applyIdles(key, task, position)
    task.runner.endOfBatch()
    this.pipeline.flush(task)
    this.pipeline.leave(task)
    this.tasks.delete(key)
    return true
  }

  private applyIdles(key: string, task: LocalTask, reached: number): void {
    const list = this.idles.get(key)
    for (let next = list?.[0]; next !== undefined && next.position <= reached; next = list?.[0]) {
      list?.shift()
      const runner = task.runner as IngestRunner
      if (!runner.task.canDeclareIdle(next.watermarkMs)) continue
      const step = runner.applyIdle(next)
      while (step.next().done !== true);
    }
  }

  private carryOn(): void {
    this.sincePump = 0
    for (const task of this.tasks.values()) {
      task.runner.endOfBatch()
      this.pipeline.flush(task)
    }
    this.pipeline.pump()
  }
}

function appended({ key, value, timestampMs }: LogRecord) {
  return { key, value, timestampMs }
}

/**
 * Answers and respond's switches in the order of the log. A switch is held as long as the answer before it: only then is
 * the key known that may have signed it, and what was answered before was judged by the former configuration.
 */
function answersOf({ answers, switches = [] }: ReplayOptions): RecordedAnswer[] {
  const ofRespond = switches.filter(({ topic }) => topic === 'casefile')
  const all = [...answers, ...ofRespond.map((one) => ({ ...one, frontierMs: null }))]
  const elder = new Map<number, number | null>()
  return all
    .sort((a, b) => a.partition - b.partition || a.record.offset - b.record.offset)
    .map(({ partition, record, frontierMs }) => {
      const heldUntilMs = frontierMs ?? elder.get(partition) ?? null
      elder.set(partition, heldUntilMs)
      return { partition, record, frontierMs: heldUntilMs }
    })
}
