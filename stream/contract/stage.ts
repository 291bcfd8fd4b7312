/**
 * How the runtime and a stage meet. A task is a synchronous state machine over one ordered log partition: what it does
 * is a function of the records alone. The runtime does all input and output.
 */
import type { TopicName } from './topics.ts'

/** One record as a log gives it. Offsets are safe integers; `topic` is the broker's name. */
export interface LogRecord {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  /** Append or create time, as the log tells it. */
  readonly timestampMs: number
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers: Readonly<Record<string, string>>
}

/** What a task sends. The runtime encodes `body`, adds headers and lineage, and finds the partition. */
export interface Emission {
  readonly topic: TopicName
  /** `key`: the partition of the key. `every`: all partitions. `own`: the partition of the task's own number. */
  readonly route: 'key' | 'every' | 'own'
  readonly key: string
  /** `ce_id`: equal for a repetition of the same record, different for all others. */
  readonly id: string
  /** `ce_time`: event time in ms. */
  readonly timeMs: number
  readonly body: { readonly type: string }
}

/**
 * A request to the outside: for the schema that the registry holds under this id. It comes before the step changes
 * anything, so that a step whose answer does not come is simply given up, and its record delivered again.
 */
export interface SchemaRequest {
  readonly kind: 'schema'
  readonly id: number
}

/** Why a schema, or a value, cannot be read; the reason is fixed text for a dead letter. */
export interface SchemaRefusal {
  readonly code: 'undecodable' | 'too-large'
  readonly reason: string
}

/** A schema ready to read by: the same one for ever under its id, so what it reads is a function of the bytes. */
export interface RegisteredSchema {
  /**
   * @param payload what follows the schema's id
   * @returns a plain value, as JSON would have given it; never throws, and its size is bounded
   */
  read(payload: Uint8Array): { readonly value: unknown } | SchemaRefusal
}

export type SchemaAnswer = RegisteredSchema | SchemaRefusal

/**
 * What a step yields: an emission, or null at the boundary of a slice, where the runtime may send a heartbeat and let
 * other work go on.
 */
export type Step = Generator<Emission | null, void, SchemaAnswer | undefined>

/** A step that may also ask: what the runtime answers is what the `yield` gives. */
export type AskingStep = Generator<Emission | SchemaRequest | null, void, SchemaAnswer | undefined>

export interface Task {
  /** Folds the record at the task's own next offset. */
  step(record: LogRecord): AskingStep
  /** What may be said once for a whole fetched batch: heartbeats and watermarks. How batches are cut changes nothing else. */
  endOfBatch(): readonly Emission[]
}

/** A task whose state lives in a checkpoint: bytes by part, so that a checkpoint writes only what changed. */
export interface CheckpointedTask extends Task {
  step(record: LogRecord): Step
  /** Parts changed since the last call (null: removed). The caller stores them all in one transaction, or none. */
  changes(): ReadonlyMap<string, Uint8Array | null>
}

/** A position to commit for a source partition, and what recovery needs to know beside it (at most 4,096 characters). */
export interface CommitPoint {
  readonly offset: number
  readonly metadata: string
}

export interface IdleDeclaration {
  readonly position: number
  readonly watermarkMs: number
}

/** A task over one source partition. It has no store: open panes come back by reading again from the committed offset. */
export interface IngestTask extends Task {
  /** First offset not folded yet. */
  readonly position: number
  readonly watermarkMs: number | null
  /**
   * To be sent before anything else, once: `source-joined` until a commit made afterwards says that it was sent, else the
   * heartbeat of the recovered watermark. The runtime commits `commitPoint()` before it (which fixes the start), sends
   * it, and only then steps.
   */
  opening(): readonly Emission[]
  /** Declared but not confirmed when the process died: the runtime applies it when `position` is reached. */
  readonly pendingIdle: IdleDeclaration | null
  /**
   * Closes panes up to the raised watermark and says so on `panes`. The runtime first commits
   * `commitPoint(declaration)`, then sends what this yields, then commits `commitPoint()`.
   */
  applyIdle(declaration: IdleDeclaration): Step
  /**
   * Folds a record of which nothing comes, faster than {@link Task.step}.
   *
   * @returns false, with nothing done, for one that `step` has to take
   */
  stepQuietly?(record: LogRecord): boolean
  /** Whether an idle declaration that raises the watermark to `watermarkMs` would do anything, and fits the metadata. */
  canDeclareIdle(watermarkMs: number): boolean
  commitPoint(pending?: IdleDeclaration): CommitPoint
  /**
   * Positions read since this task object was made, by what became of them; those read again for recovery are not
   * counted. Their sum is the positions read, less the candidates (fewer than `skewAgreement`) that are still held.
   */
  readonly counts: Readonly<{ accepted: number; rejected: number; late: number; skewed: number }>
  /** Positions read since this task object was made; those read again for recovery are not counted. */
  readonly read: number
  /** Candidates ahead of their source that are not settled yet. */
  readonly held: number
  readonly openPanes: number
  /** Rows folded into `<kind>:(other)` and values left out, because a pane had too many entities or features. */
  readonly overflow?: Readonly<{ rows: number; values: number }>
  /** Rows that came too late, of records that are accepted for others of their rows. */
  readonly lateRows?: number
}

/** A task over a partition of `panes` or `casefile`. */
export interface JudgingTask extends CheckpointedTask {
  /** Of the configuration that its state is under: a declared switch has another digest once it is complete. */
  readonly digest: string
  /** Of the configuration that a declared switch is under way to; null for none. */
  readonly pendingDigest: string | null
  /** Frontier up to which this task has taken everything; null before every input has spoken. */
  readonly watermarkMs: number | null
  /** How many entities it follows, and by source how many parts of others it left out, since this object was made. */
  readonly following?: { readonly entities: number; readonly leftOut: ReadonlyMap<string, number> }
  /** Of a task of join: what became of predictions and labels since it began, and how many it remembers, by name. */
  readonly joined?: {
    readonly counts: Readonly<Record<string, number>>
    readonly held: Readonly<Record<string, number>>
  }
}

export interface RespondTask extends JudgingTask {
  /** Whether an approval, a command or a verification waits, so that ticks are needed. */
  readonly waiting: boolean
  /**
   * Findings for which memory had no room, once their turn has come. While it is not null the runtime reads these offsets
   * of its partition again, shows it each record ({@link showAgain}), and then lets it {@link goOn}: before any other step.
   */
  readonly recall: { readonly fromOffset: number; readonly toOffset: number } | null
  /** Lowest offset that it will ask for again; null for none. */
  readonly keepsFrom: number | null
  showAgain(record: LogRecord): void
  goOn(): Step
}
