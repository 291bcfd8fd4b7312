/** Runs the ingest task alone, as a runtime would: random schedules, crashes anywhere, recovery from the last commit. */
import fc from 'fast-check'
import { type SourceConfig, sourceConfig } from '../../stream/contract/configuration.ts'
import { canonicalJson } from '../../stream/contract/encoding.ts'
import type {
  AskingStep,
  CommitPoint,
  Emission,
  IdleDeclaration,
  IngestTask,
  LogRecord,
} from '../../stream/contract/stage.ts'
import { createIngestTask } from '../../stream/ingest/ingest.ts'

export const BASE_MS = 1_700_000_000_000
export const START_OFFSET = 40

export type Operation =
  | { readonly kind: 'record'; readonly record: LogRecord }
  | { readonly kind: 'idle'; readonly raiseMs: number }
  | { readonly kind: 'commit' }

export interface Schedule {
  readonly source: SourceConfig
  readonly operations: readonly Operation[]
}

export function makeTask(source: SourceConfig, committed: CommitPoint | null): IngestTask {
  return createIngestTask({
    source,
    partition: 1,
    partitionCount: 2,
    digest: 'digest',
    startOffset: START_OFFSET,
    committed,
  })
}

export function metricRecord(offset: number, points: readonly object[] | string, timestampMs = BASE_MS): LogRecord {
  const value = Buffer.from(typeof points === 'string' ? points : JSON.stringify(points))
  return { topic: 'metrics', partition: 1, offset, timestampMs, key: null, value, headers: {} }
}

const point = fc.record({
  name: fc.constantFrom('a', 'b', 'c'),
  value: fc.double({ min: -1000, max: 1000, noNaN: true }),
  backMs: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat({ max: 60 }) }),
})

const recordDraft = fc.record({
  gap: fc.oneof({ weight: 8, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat({ max: 30_000 }) }),
  stepMs: fc.nat({ max: 9 }),
  jitterMs: fc.oneof(
    { weight: 6, arbitrary: fc.integer({ min: -20, max: 5 }) },
    { weight: 1, arbitrary: fc.integer({ min: -200, max: -40 }) },
    { weight: 3, arbitrary: fc.integer({ min: 35, max: 110 }) },
  ),
  points: fc.array(point, { minLength: 1, maxLength: 3 }),
  isGarbage: fc.oneof({ weight: 15, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
})

const operationDraft = fc.oneof(
  { weight: 12, arbitrary: recordDraft.map((record) => ({ record })) },
  { weight: 1, arbitrary: fc.nat({ max: 150 }).map((jumpMs) => ({ jumpMs })) },
  { weight: 2, arbitrary: fc.integer({ min: 1, max: 60 }).map((raiseMs) => ({ raiseMs })) },
  { weight: 3, arbitrary: fc.constant({ commit: true }) },
)

/** Events late, ahead, in bursts and after jumps of time; gaps of offsets; garbage; idle raises; commits; few cells. */
export const schedules: fc.Arbitrary<Schedule> = fc
  .record({
    drafts: fc.array(operationDraft, { minLength: 5, maxLength: 90 }),
    lateness: fc.constantFrom(30, 30, 30, 60, 0),
    skewAgreement: fc.constantFrom(1, 2, 3, 3, 4),
    maxAhead: fc.constantFrom('1d', '1d', 90),
    maxCells: fc.constantFrom(100_000, 100_000, 12),
  })
  .map(({ drafts, ...options }) => {
    const source = sourceConfig.parse({ name: 'metrics', format: 'metric', pane: 10, ...options })
    const operations: Operation[] = []
    let offset = START_OFFSET
    let nowMs = BASE_MS
    for (const draft of drafts) {
      if ('jumpMs' in draft) nowMs += draft.jumpMs
      else if ('raiseMs' in draft) operations.push({ kind: 'idle', raiseMs: draft.raiseMs })
      else if ('commit' in draft) operations.push({ kind: 'commit' })
      else {
        const { gap, stepMs, jitterMs, points, isGarbage } = draft.record
        offset += gap
        nowMs += stepMs
        const timeMs = nowMs + jitterMs
        const values = points.map(({ name, value, backMs }) => ({ name, value, time: timeMs - backMs }))
        operations.push({ kind: 'record', record: metricRecord(offset, isGarbage ? '{' : values, nowMs) })
        offset++
      }
    }
    return { source, operations }
  })

/** What came out: bodies by id. The same id must always have the same bytes. Heartbeats depend on batches: left out. */
export class Outcome {
  readonly bytesById = new Map<string, string>()
  /** Bodies in the order of their emission, repetitions and all. */
  readonly order: string[] = []
  repetitions = 0

  take(emission: Emission): void {
    if (emission.body.type === 'heartbeat') return
    const bytes = canonicalJson(emission.body)
    const before = this.bytesById.get(emission.id)
    if (before !== undefined) this.repetitions++
    if (before !== undefined && before !== bytes) throw new Error(`one id, two records:\n${before}\n${bytes}`)
    this.bytesById.set(emission.id, bytes)
    this.order.push(bytes)
  }

  sorted(): string[] {
    return [...this.bytesById.values()].sort()
  }
}

/** What a runtime did in an undisturbed run: which idle declarations it made, and what each operation left behind. */
export interface Reference {
  readonly outcome: Outcome
  readonly task: IngestTask
  /** By operation; null where none was declared. */
  readonly declarations: readonly (IdleDeclaration | null)[]
  /** The commit point after each operation: the whole state of a task, as far as it shows. */
  readonly commits: readonly CommitPoint[]
}

function takeAll(step: AskingStep, outcome: Outcome): void {
  for (const said of step) if (said !== null && !('kind' in said)) outcome.take(said)
}

export function runUndisturbed({ source, operations }: Schedule): Reference {
  const task = makeTask(source, null)
  const outcome = new Outcome()
  for (const emission of task.opening()) outcome.take(emission)
  const declarations: (IdleDeclaration | null)[] = []
  const commits: CommitPoint[] = []
  for (const operation of operations) {
    let declaration: IdleDeclaration | null = null
    if (operation.kind === 'record') takeAll(task.step(operation.record), outcome)
    else if (operation.kind === 'commit') task.endOfBatch()
    else {
      const watermarkMs = (task.watermarkMs ?? BASE_MS - 100) + operation.raiseMs
      if (task.canDeclareIdle(watermarkMs)) {
        declaration = { position: task.position, watermarkMs }
        takeAll(task.applyIdle(declaration), outcome)
      }
    }
    declarations.push(declaration)
    commits.push(task.commitPoint())
  }
  return { outcome, task, declarations, commits }
}

export interface Crash {
  /** Operation during which the process dies (again and again, where it is repeated). */
  readonly operation: number
  /** Emissions of it that still get out; beyond the last one the commit of the operation is lost, if there is one. */
  readonly emissions: number
}

class Crashed extends Error {}

/** The same schedule with crashes: each restart recovers from the last commit and reads again from its offset. */
export function runCrashing(schedule: Schedule, reference: Reference, crashes: readonly Crash[]): Outcome {
  const { source, operations } = schedule
  const outcome = new Outcome()
  const left = [...crashes]
  let committed: CommitPoint | null = null
  /** Operation whose declaration the last commit holds as pending or done, at least. */
  let declared = -1
  for (;;) {
    const task = makeTask(source, committed)
    for (const emission of task.opening()) outcome.take(emission)
    const from: number = committed?.offset ?? START_OFFSET
    try {
      for (const [index, operation] of operations.entries()) {
        const crashAt = left.findIndex((crash) => crash.operation === index)
        const crash = crashAt < 0 ? undefined : left[crashAt]
        const out = (step: AskingStep) => {
          let emitted = 0
          for (const emission of step) {
            if (crash !== undefined && emitted++ >= crash.emissions) throw new Crashed()
            if (emission !== null && !('kind' in emission)) outcome.take(emission)
          }
        }
        const die = () => {
          left.splice(crashAt, 1)
          throw new Crashed()
        }
        const isRecovering = (): boolean => committed !== null && task.position < positionOf(committed)
        try {
          if (operation.kind === 'record') {
            if (operation.record.offset < from) continue
            if (task.pendingIdle !== null && operation.record.offset >= task.pendingIdle.position) {
              out(task.applyIdle(task.pendingIdle))
            }
            out(task.step(operation.record))
          } else if (operation.kind === 'idle') {
            const declaration = reference.declarations[index]!
            if (declaration === null || isRecovering()) continue
            if (index > declared) {
              if (crash?.emissions === 0) throw new Crashed()
              if (!task.canDeclareIdle(declaration.watermarkMs)) throw new Error('the declaration is refused now')
              committed = task.commitPoint(declaration)
              declared = index
              out(task.applyIdle(declaration))
            } else if (task.pendingIdle !== null && index === declared) out(task.applyIdle(task.pendingIdle))
            else continue
            if (crash !== undefined) throw new Crashed()
            committed = task.commitPoint()
          } else {
            if (isRecovering()) continue
            for (const emission of task.endOfBatch()) outcome.take(emission)
            if (crash === undefined && isCurrent(task, operations, index)) committed = task.commitPoint()
          }
        } catch (error) {
          if (error instanceof Crashed) die()
          throw error
        }
        if (crash !== undefined) die()
        // Once an operation lies behind for the first time, everything that a task shows has to be as it was.
        if (!isRecovering() && task.pendingIdle === null && isCurrent(task, operations, index) && index >= declared) {
          const state = canonicalJson(task.commitPoint())
          const expected = canonicalJson(reference.commits[index]!)
          if (state !== expected) throw new Error(`after operation ${index}:\n${state}, undisturbed\n${expected}`)
        }
      }
      return outcome
    } catch (error) {
      if (!(error instanceof Crashed)) throw error
    }
  }
}

function positionOf(commit: CommitPoint): number {
  return (JSON.parse(commit.metadata) as { position: number }).position
}

/** Whether the task stands where the schedule does: just behind the last record up to this operation. */
function isCurrent(task: IngestTask, operations: readonly Operation[], index: number): boolean {
  for (let at = index; at >= 0; at--) {
    const operation = operations[at]!
    if (operation.kind === 'record') return task.position === operation.record.offset + 1
  }
  return task.position === START_OFFSET
}
