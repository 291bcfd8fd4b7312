/**
 * detect: panes → measurements and findings. A task over one partition of `panes`: entities of that partition, from all
 * partitions of all sources.
 *
 * Everything happens at the ends of slides. Parts of panes wait until their slide is complete, then entities are taken in
 * the order of their names; so neither how partitions interleaved nor how far a frontier jumped shows in a result.
 */
import type { TaskWatermark } from '../contract/case.ts'
import type { DetectConfig } from '../contract/configuration.ts'
import { idOf } from '../contract/id.ts'
import type { Pane } from '../contract/pane.ts'
import type { Emission, JudgingTask, LogRecord, Step } from '../contract/stage.ts'
import { SentinelError } from '../errors.ts'
import { Completeness } from './completeness.ts'
import { Entity, type Evaluation } from './entity.ts'
import { farewell } from './farewell.ts'
import { Parts } from './parts.ts'
import { compilePlan, type Plan } from './plan.ts'
import { readPanesRecord } from './read-record.ts'
import { entityKey, type Resident, ScopeState, scopeKey } from './scope.ts'
import { readStored } from './stored.ts'

/** Parts of panes that were not merged, and the other things that ought to stay at 0, since the task began. */
export interface DetectCounts {
  /** Parts merged, or waiting to be. */
  readonly taken: number
  /** Parts that were there already, or that their own partition had sent before. */
  readonly repeated: number
  /** Parts below the frontier: their partition joined late, or lied. */
  readonly late: number
  readonly quarantined: number
  readonly forgotten: number
}

/** What is written down beside entities and parts of panes. */
export interface FrontierPart {
  readonly completeness: ReturnType<Completeness['snapshot']>
  readonly scopes: readonly { readonly source: string; readonly partition: number | null; readonly closedMs: number }[]
  readonly counts: DetectCounts
}

export interface DetectTask extends JudgingTask {
  readonly counts: DetectCounts
  readonly entityCount: number
}

/**
 * @param options.digest of the configuration: part of every id
 * @param options.task number of the partition of `panes`
 * @param options.parts what {@link JudgingTask.changes} gave, all of it; null at the first start
 * @throws CONFIGURATION_INVALID
 */
export function createDetectTask(options: {
  config: DetectConfig
  digest: string
  task: number
  taskCount: number
  parts: ReadonlyMap<string, Uint8Array> | null
}): DetectTask {
  return new Detect(options)
}

class Detect implements DetectTask {
  readonly #plan: Plan
  readonly #digest: string
  readonly #task: number
  readonly #taskCount: number
  readonly #parts: Parts
  readonly #completeness: Completeness
  readonly #scopes = new Map<string, ScopeState>()
  #counts: { -readonly [Name in keyof DetectCounts]: number } = noCounts()
  #toldMs: number | null = null

  constructor(options: Parameters<typeof createDetectTask>[0]) {
    this.#plan = compilePlan(options.config)
    this.#digest = options.digest
    this.#task = options.task
    this.#taskCount = options.taskCount
    const stored = readStored(options.parts ?? new Map())
    this.#parts = new Parts(stored.keys)
    this.#completeness =
      stored.frontier === null ? new Completeness() : Completeness.restore(stored.frontier.completeness)
    if (stored.frontier !== null) this.#counts = { ...stored.frontier.counts }
    for (const { closedMs, ...scope } of stored.frontier?.scopes ?? []) this.#scopeState(scope).closedMs = closedMs
    for (const { partId, scope, quarantined, parts } of stored.entities) {
      const entity = parts === null ? null : new Entity(this.#plan, this.#digest, parts)
      const key = entityKey(parts?.state ?? quarantined!)
      this.#scopeState(scope).setResident({ key, partId, entity, quarantined })
    }
    for (const pane of stored.panes) this.#scopeState(this.#completeness.scopeOf(pane)).addPart(pane)
  }

  get watermarkMs(): number | null {
    return this.#completeness.watermarkMs
  }

  get counts(): DetectCounts {
    return { ...this.#counts }
  }

  get entityCount(): number {
    let count = 0
    for (const scope of this.#scopes.values()) count += scope.entityCount
    return count
  }

  *step(record: LogRecord): Step {
    const read = readPanesRecord(record)
    switch (read.type) {
      case 'pane':
        this.#takePane(read, record.value!)
        return
      case 'heartbeat':
      case 'idle':
      case 'source-joined':
      case 'source-left': {
        const advance = this.#completeness.apply(read)
        if (read.type === 'source-joined') yield* this.#rescope(read.source)
        if (advance !== null) yield* this.#advance(this.#scopeState(advance.scope), advance.frontierMs)
        this.#completeness.settle()
        this.#parts.set('frontier', () => this.#frontierPart())
        return
      }
      case 'configuration-switch': // its place is kept: a task holds one configuration until a later version
      case 'incarnation':
        return
    }
  }

  endOfBatch(): readonly Emission[] {
    const { watermarkMs } = this
    if (watermarkMs === null || watermarkMs === this.#toldMs) return []
    this.#toldMs = watermarkMs
    const body: TaskWatermark = { type: 'task-watermark', task: this.#task, taskCount: this.#taskCount, watermarkMs }
    const id = idOf('task-watermark', this.#digest, this.#task, watermarkMs)
    return [{ topic: 'casefile', route: 'every', key: String(this.#task), id, timeMs: watermarkMs, body }]
  }

  changes(): ReadonlyMap<string, Uint8Array | null> {
    return this.#parts.take()
  }

  #takePane(pane: Pane, bytes: Uint8Array): void {
    this.#parts.set('frontier', () => this.#frontierPart())
    const scope = this.#completeness.scopeOf(pane)
    const frontierMs = this.#completeness.frontierMs(scope)
    if (frontierMs !== null && pane.endMs <= frontierMs) {
      const ownMs = this.#completeness.partitionWatermarkMs(pane)
      if (ownMs !== null && pane.endMs <= ownMs) this.#counts.repeated++
      else this.#counts.late++
      return
    }
    if (!this.#scopeState(scope).addPart(pane)) {
      this.#counts.repeated++
      return
    }
    this.#counts.taken++
    this.#parts.set(`pane/${pane.id}`, () => bytes)
  }

  #scopeState(scope: ScopeState['scope']): ScopeState {
    const key = scopeKey(scope)
    let state = this.#scopes.get(key)
    if (state === undefined) {
      state = new ScopeState({ source: scope.source, partition: scope.partition }, this.#plan.slideMs)
      this.#scopes.set(key, state)
    }
    return state
  }

  /**
   * A source whose first declaration was no join was taken as not keyed. When a join says that it is, parts that wait move
   * to the scopes they belong to; its entities begin anew there, because which partition theirs is nobody knows.
   */
  *#rescope(source: string): Step {
    for (const key of [...this.#scopes.keys()].sort()) {
      const scope = this.#scopes.get(key)!
      const { partition } = scope.scope
      if (scope.scope.source !== source || (partition === null) === !this.#completeness.isKeyed(source)) continue
      this.#scopes.delete(key)
      for (const resident of scope.residents) yield* this.#endWithScope(scope, resident)
      for (const pane of scope.pendingParts()) this.#scopeState(this.#completeness.scopeOf(pane)).addPart(pane)
    }
  }

  *#endWithScope(scope: ScopeState, resident: Resident): Step {
    const { entity, quarantined } = resident
    const standing = entity?.standingVotes() ?? []
    this.#removeParts(resident)
    this.#counts.forgotten++
    if (standing.length === 0) return
    const note = 'Its source was declared anew, with another partitioning: its state is dropped, and it begins anew'
    // The slide that would have come next: after everything that the watermark has passed.
    const endMs = scope.closedMs! + this.#plan.slideMs
    yield* this.#bidFarewell('forgotten', { name: entity?.state ?? quarantined!, standing, endMs, note })
  }

  *#advance(scope: ScopeState, frontierMs: number): Step {
    for (let endMs = scope.nextSlideMs(frontierMs); endMs !== null; endMs = scope.nextSlideMs(frontierMs)) {
      const { keys, parts } = scope.takeSlide(endMs)
      for (const key of keys) {
        const ofEntity = [...(parts.get(key)?.values() ?? [])]
        yield* this.#stepEntity(scope, { key, parts: ofEntity, endMs })
        for (const { id } of ofEntity) this.#parts.remove(`pane/${id}`)
        yield null
      }
    }
  }

  /** One entity's slide. What it throws concerns it alone: it is quarantined, and the task goes on. */
  *#stepEntity(scope: ScopeState, slide: { key: string; parts: readonly Pane[]; endMs: number }): Step {
    const { key, parts, endMs } = slide
    const known = scope.resident(key)
    if (known?.quarantined) {
      yield* this.#stepQuarantined(scope, known, slide)
      return
    }
    const partId = known?.partId ?? partIdOf(scope, parts[0]!)
    const entity = known?.entity ?? Entity.first(this.#plan, this.#digest, { pane: parts[0]!, slideEndMs: endMs })
    const resident = known ?? { key, partId, entity, quarantined: null }
    if (known === undefined) scope.setResident(resident)
    if (parts.length === 0 && endMs - entity.state.lastSeenMs >= this.#plan.forgetAfterMs) {
      yield* this.#forget(scope, resident, endMs)
      return
    }
    let evaluation: Evaluation
    try {
      const isSilent = endMs <= (this.watermarkMs ?? -Infinity)
      const paneMs = this.#completeness.paneMs(scope.scope.source)
      evaluation = entity.closeSlide(parts, { endMs, paneMs, isSilent })
    } catch (error) {
      if (error instanceof SentinelError) throw error
      yield* this.#quarantine(scope, resident, { endMs, error })
      return
    }
    this.#writeDown(scope, resident, evaluation)
    const { measurement, finding } = evaluation
    const { id, tenant } = measurement
    yield {
      topic: 'measurements',
      route: 'own',
      key: `${tenant}/${measurement.entity}`,
      id,
      timeMs: endMs,
      body: measurement,
    }
    if (finding !== null) {
      yield { topic: 'casefile', route: 'key', key: tenant, id: finding.id, timeMs: endMs, body: finding }
    }
  }

  #writeDown(scope: ScopeState, { partId, entity }: Resident, { changes }: Evaluation): void {
    const { source, partition } = scope.scope
    this.#parts.set(`entity/${partId}`, () => ({ scope: { source, partition }, state: entity!.state }))
    this.#parts.set(`slide/${partId}/${changes.slide.summary.endMs}`, () => changes.slide)
    for (const endMs of changes.droppedSlidesMs) this.#parts.remove(`slide/${partId}/${endMs}`)
    const { learned, reference } = changes
    if (learned !== null) this.#parts.set(`learn/${partId}/${learned.endMs}`, () => learned)
    for (const endMs of changes.droppedLearningMs) this.#parts.remove(`learn/${partId}/${endMs}`)
    if (reference !== null) this.#parts.set(`reference/${partId}/${reference.id}`, () => reference)
  }

  #removeParts({ partId, entity }: Resident): void {
    this.#parts.remove(`entity/${partId}`)
    if (entity === null) return
    for (const endMs of entity.writtenSlidesMs) this.#parts.remove(`slide/${partId}/${endMs}`)
    for (const endMs of entity.writtenLearningMs) this.#parts.remove(`learn/${partId}/${endMs}`)
    for (const id of entity.referenceIds) this.#parts.remove(`reference/${partId}/${id}`)
  }

  *#stepQuarantined(scope: ScopeState, resident: Resident, slide: { parts: readonly Pane[]; endMs: number }): Step {
    const state = resident.quarantined!
    if (slide.parts.length > 0) {
      state.lastSeenMs = slide.endMs
      const { source, partition } = scope.scope
      this.#parts.set(`entity/${resident.partId}`, () => ({ scope: { source, partition }, quarantined: state }))
    } else if (slide.endMs - state.lastSeenMs >= this.#plan.forgetAfterMs) {
      yield* this.#forget(scope, resident, slide.endMs)
    }
  }

  *#forget(scope: ScopeState, resident: Resident, endMs: number): Step {
    const { entity, quarantined } = resident
    const name = entity?.state ?? quarantined!
    this.#removeParts(resident)
    scope.removeResident(resident.key)
    this.#counts.forgotten++
    const note = `No event for ${this.#plan.forgetAfterMs} ms: its state is dropped, and it begins anew when it comes back`
    yield* this.#bidFarewell('forgotten', { name, standing: entity?.standingVotes() ?? [], endMs, note })
  }

  *#quarantine(scope: ScopeState, resident: Resident, of: { endMs: number; error: unknown }): Step {
    const { source, tenant, entity, kind } = resident.entity!.state
    const standing = resident.entity!.standingVotes()
    this.#removeParts(resident)
    const quarantined = { source, tenant, entity, kind, lastSeenMs: of.endMs }
    scope.setResident({ ...resident, entity: null, quarantined })
    const { partition } = scope.scope
    this.#parts.set(`entity/${resident.partId}`, () => ({ scope: { source, partition }, quarantined }))
    this.#counts.quarantined++
    const cause = of.error instanceof Error ? `${of.error.name}: ${of.error.message}` : String(of.error)
    const note = `Judging it failed, and it is not judged any more: ${cause}`.slice(0, 1000)
    yield* this.#bidFarewell('quarantine', { name: quarantined, standing, endMs: of.endMs, note })
  }

  *#bidFarewell(problem: 'forgotten' | 'quarantine', of: Omit<Parameters<typeof farewell>[1], 'digest'>): Step {
    if (of.endMs <= (this.watermarkMs ?? -Infinity)) return
    const finding = farewell(problem, { ...of, digest: this.#digest })
    const { id, tenant, timeMs } = finding
    yield { topic: 'casefile', route: 'key', key: tenant, id, timeMs, body: finding }
  }

  #frontierPart(): FrontierPart {
    const scopes = [...this.#scopes.keys()].sort().flatMap((key) => {
      const { scope, closedMs } = this.#scopes.get(key)!
      return closedMs === null ? [] : [{ ...scope, closedMs }]
    })
    return { completeness: this.#completeness.snapshot(), scopes, counts: this.counts }
  }
}

function noCounts(): DetectCounts {
  return { taken: 0, repeated: 0, late: 0, quarantined: 0, forgotten: 0 }
}

function partIdOf({ scope }: ScopeState, { tenant, entity }: Pane): string {
  return idOf('entity', scope.source, scope.partition, tenant, entity)
}
