/**
 * Drives the topology in memory by a random schedule: who works when, how batches are cut, what is delivered again,
 * who crashes with how much of its output sent, when a partition is declared idle and whether that is completed.
 */
import fc from 'fast-check'
import { decodeJson } from '../stream/contract/encoding.ts'
import type { LogRecord, SchemaAnswer } from '../stream/contract/stage.ts'
import { type TopicName, topicNames } from '../stream/contract/topics.ts'
import type { Signer } from '../stream/runtime/declarations.ts'
import { LocalPipeline, type LocalTask } from '../stream/runtime/local.ts'
import { type IngestRunner, JudgingRunner } from '../stream/runtime/task-runner.ts'
import type { Pipeline } from '../stream/runtime/tasks.ts'

export interface SourceInput {
  readonly source: string
  readonly partition: number
  readonly value: Uint8Array
}

/** One thing that happens. Numbers choose by remainder, so that any of them means something. */
export type Action =
  | { readonly kind: 'arrive'; readonly count: number }
  | { readonly kind: 'work'; readonly task: number; readonly count: number }
  | { readonly kind: 'store'; readonly task: number }
  /** Folds some records, sends only part of what they emit, and loses its memory. */
  | { readonly kind: 'crash'; readonly task: number; readonly folded: number; readonly sent: number }
  /** Delivers records again that the task has had. */
  | { readonly kind: 'redeliver'; readonly task: number; readonly back: number }
  /** A step that throws in the middle, as a full disk or a bug would. */
  | { readonly kind: 'fail'; readonly task: number }
  /** Detect and respond go on under another configuration, where the driver has one. */
  | { readonly kind: 'switch' }
  /** The last source of the configuration is read no more. */
  | { readonly kind: 'leave' }
  /** Declares the partition idle; `cut` loses the process between the two halves. */
  | { readonly kind: 'idle'; readonly task: number; readonly aheadMs: number; readonly cut: boolean }

const small = fc.nat(40)
const task = fc.nat(1_000)

/** Schedules of up to `length` actions; `idleMs` bounds how far an idle declaration raises a watermark. */
export function schedules(options: { length: number; idleMs: number }): fc.Arbitrary<Action[]> {
  return fc.array(
    fc.oneof(
      { weight: 6, arbitrary: fc.record({ kind: fc.constant('arrive' as const), count: fc.nat(60) }) },
      { weight: 8, arbitrary: fc.record({ kind: fc.constant('work' as const), task, count: small }) },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant('store' as const), task }) },
      {
        weight: 3,
        arbitrary: fc.record({ kind: fc.constant('crash' as const), task, folded: small, sent: fc.nat(20) }),
      },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('redeliver' as const), task, back: small }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('fail' as const), task }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('leave' as const) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('switch' as const) }) },
      {
        weight: 1,
        arbitrary: fc.record({
          kind: fc.constant('idle' as const),
          task,
          aheadMs: fc.nat(options.idleMs),
          cut: fc.boolean(),
        }),
      },
    ),
    // without a size the lists stay short: of a handful of actions none gets in another's way
    { maxLength: options.length, size: 'max' },
  )
}

export interface DriverOptions {
  readonly pipeline: Pipeline
  readonly sourcePartitions: Readonly<Record<string, number>>
  readonly partitions?: Partial<Record<TopicName, number>>
  /** Answers steps that ask for a schema, as a table would. */
  readonly schemas?: (id: number) => SchemaAnswer
  /** What the action `switch` goes over to, one after the other, and then to the first again. */
  readonly next?: { readonly pipelines: readonly Pipeline[]; readonly signer: Signer & { readonly spki: string } }
}

export class Driver {
  readonly local: LocalPipeline
  private readonly input: SourceInput[]
  private readonly sources: readonly string[]
  private readonly next: DriverOptions['next']
  private readonly first: Pipeline
  private switches = 0
  /** How far each task was when it crashed last. */
  private readonly reached = new Map<string, number>()
  /** Switches that were declared while one was under way (count). */
  overtaken = 0

  constructor(options: DriverOptions, input: readonly SourceInput[]) {
    const partitions = Object.fromEntries(topicNames.map((name) => [name, options.partitions?.[name] ?? 2]))
    this.local = new LocalPipeline({
      pipeline: options.pipeline,
      sourcePartitions: options.sourcePartitions,
      partitions: partitions as Record<TopicName, number>,
      ...(options.next === undefined
        ? {}
        : { known: knownOf(...options.next.pipelines), publicKeys: [keyOf(options.next.signer)] }),
      clock: () => 1_800_000_000_000, // after the traffic: its first event is of the present
      ...(options.schemas === undefined ? {} : { schemas: options.schemas }),
    })
    this.input = [...input]
    this.next = options.next
    this.first = options.pipeline
    this.sources = options.pipeline.sources.map(({ name }) => name)
    // a worker says at its start which source partitions it reads, before any of them is read
    for (const task of this.local.tasks) if (task.stage === 'ingest') this.local.flush(task)
  }

  /** Follows the schedule, then lets everything arrive and be worked off. */
  run(schedule: readonly Action[]): this {
    for (const action of schedule) this.act(action)
    this.arrive(this.input.length)
    this.local.pump()
    return this
  }

  private act(action: Action): void {
    if (action.kind === 'arrive') {
      this.arrive(action.count)
      return
    }
    if (action.kind === 'leave') {
      this.leave()
      return
    }
    if (action.kind === 'switch') {
      this.switchConfiguration()
      return
    }
    const task = this.local.tasks[action.task % this.local.tasks.length]!
    switch (action.kind) {
      case 'work':
        this.local.work(task, action.count)
        return
      case 'store':
        this.local.flush(task)
        this.local.store(task)
        return
      case 'crash':
        for (const record of this.unread(task, action.folded)) this.local.fold(task, record)
        task.runner.endOfBatch()
        this.local.flush(task, action.sent)
        this.crash(task)
        return
      case 'redeliver':
        this.redeliver(task, action.back)
        return
      case 'fail':
        this.failStep(task)
        return
      case 'idle':
        this.declareIdle(task, action)
    }
  }

  private crash(task: LocalTask): void {
    this.reached.set(task.name, Math.max(task.runner.next, this.reached.get(task.name) ?? 0))
    this.local.crash(task)
  }

  private arrive(count: number): void {
    for (const { source, partition, value } of this.input.splice(0, count)) {
      this.local.log.append(this.local.sourceTopic(source), partition, { key: null, value })
    }
  }

  private unread(task: LocalTask, count: number): LogRecord[] {
    return this.local.log.read(task.topic, task.partition, task.runner.next, count)
  }

  private redeliver(task: LocalTask, back: number): void {
    const from = Math.max(0, task.runner.next - back)
    for (const record of this.local.log.read(task.topic, task.partition, from, back)) {
      if (record.offset < task.runner.next) this.local.fold(task, record)
    }
  }

  /** The generator is left in the middle of its step: the runner is broken, and recovered from what is stored. */
  private failStep(task: LocalTask): void {
    const [record] = this.unread(task, 1)
    if (record === undefined) return
    const original = task.runner.task.step
    task.runner.task.step = function* (this: unknown, ...given) {
      yield* original.apply(task.runner.task, given)
      throw new Error('injected')
    }
    if (task.stage === 'ingest') Object.assign(task.runner.task, { stepQuietly: () => false })
    try {
      this.local.fold(task, record)
    } catch (error) {
      if ((error as Error).message !== 'injected') throw error
    }
    if (!task.runner.broken) throw new Error('a step that throws has to break its runner')
    this.crash(task)
  }

  /** As a worker with another configuration does that finds the tasks under the former one. */
  private switchConfiguration(): void {
    if (this.next === undefined) return
    const { pipelines, signer } = this.next
    const pipeline = [this.first, ...pipelines][++this.switches % (pipelines.length + 1)]!
    for (const task of this.local.tasks) {
      if (!(task.runner instanceof JudgingRunner) || task.stage === 'ingest') continue
      const digest = pipeline.digests[task.stage]
      if ((task.runner.task.pendingDigest ?? task.runner.task.digest) === digest) continue
      const marks = this.local.log.all(task.topic).filter(({ partition }) => partition === task.partition)
      // where one is declared already and not read, the worker waits to see what comes of it
      const unread = marks.filter(({ offset }) => offset >= task.runner.next)
      if (unread.some(({ headers }) => headers['ce_type'] === 'sentinel.configuration-switch.v1')) continue
      const atMs = Math.max(
        0,
        ...marks.map(({ value }) => {
          const { watermarkMs = 0, atMs = -1 } = decodeJson(value!) as { watermarkMs?: number; atMs?: number }
          return Math.max(watermarkMs, atMs + 1)
        }),
      )
      if (task.runner.task.pendingDigest !== null) this.overtaken++
      this.local.declareSwitch(task, { digest, atMs, signer })
    }
  }

  private leave(): void {
    const source = this.sources.at(-1)!
    for (const task of [...this.local.tasks]) {
      if (task.topic !== this.local.sourceTopic(source)) continue
      // a worker that takes a source out ends cleanly: what one sent that crashed just before is sent again, up to there
      for (const record of this.unread(task, Math.max(0, (this.reached.get(task.name) ?? 0) - task.runner.next))) {
        this.local.fold(task, record)
      }
      this.local.flush(task)
      this.local.store(task)
      this.local.leave(task)
    }
  }

  private declareIdle(task: LocalTask, action: Extract<Action, { kind: 'idle' }>): void {
    if (task.stage !== 'ingest') return
    const runner = task.runner as IngestRunner
    // only a partition that has been read to its end is silent
    this.local.work(task, Number.MAX_SAFE_INTEGER)
    const { watermarkMs, position } = runner.task
    if (watermarkMs === null) return
    const declaration = { position, watermarkMs: watermarkMs + action.aheadMs }
    if (!runner.task.canDeclareIdle(declaration.watermarkMs)) return
    this.local.declareIdle(task, declaration)
    if (action.cut) this.crash(task)
    else this.local.applyIdle(task, declaration)
  }

  /** Records of one topic of ours, by partition and offset. */
  records(name: TopicName): LogRecord[] {
    return this.local.log.all(this.local.topic(name))
  }

  bodies<T>(name: TopicName): T[] {
    return this.records(name).map(({ value }) => decodeJson(value!) as T)
  }

  /** `id → bytes` of a topic's records of one type; throws when one id has two contents. */
  byId(name: TopicName, type: string): Map<string, string> {
    const found = new Map<string, string>()
    for (const { headers, value } of this.records(name)) {
      if (headers['ce_type'] !== `sentinel.${type}.v1`) continue
      const id = headers['ce_id']!
      const bytes = Buffer.from(value!).toString('utf8')
      if (found.has(id) && found.get(id) !== bytes) throw new Error(`${name}: ${id} has two contents`)
      found.set(id, bytes)
    }
    return found
  }
}

export function knownOf(...pipelines: readonly Pipeline[]) {
  return {
    detect: new Map(pipelines.map(({ digests, detect }) => [digests.detect, detect])),
    respond: new Map(pipelines.map(({ digests, respond }) => [digests.respond, respond])),
  }
}

function keyOf({ keyId, spki }: { readonly keyId: string; readonly spki: string }) {
  return { keyId, spki }
}
