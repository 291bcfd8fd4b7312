/**
 * detect: panes → measurements and findings. A task over one partition of `panes`: entities of that partition, from all
 * partitions of all sources.
 *
 * Everything happens at the ends of slides. Parts of panes wait until their slide is complete, then entities are taken in
 * the order of their names; so neither how partitions interleaved nor how far a frontier jumped shows in a result.
 */
import type { TaskWatermark } from '../contract/case.ts'
import { Completeness } from '../contract/completeness.ts'
import type { DetectConfig } from '../contract/configuration.ts'
import type { Finding } from '../contract/finding.ts'
import { idOf } from '../contract/id.ts'
import { type Pane, restOf } from '../contract/pane.ts'
import { Parts } from '../contract/parts.ts'
import { refusal } from '../contract/refusal.ts'
import type { Emission, JudgingTask, LogRecord, Step } from '../contract/stage.ts'
import { SentinelError } from '../errors.ts'
import { Adoption, type AdoptionSnapshot, type KnownConfigurations } from './adoption.ts'
import { Crowding, crowdingFinding, type Stretch } from './crowding.ts'
import { Entity, type Evaluation } from './entity.ts'
import { farewell } from './farewell.ts'
import type { Plan } from './plan.ts'
import { readPanesRecord } from './read-record.ts'
import { Rebaselines, type UnderWay } from './rebaselines.ts'
import { findingParts, measurementParts, referenceParts } from './record-size.ts'
import { referenceRecord } from './reference-record.ts'
import { entityKey, type Resident, ScopeState, scopeKey } from './scope.ts'
import { readStored } from './stored.ts'

/** Parts of panes that were not merged, and the other things that ought to stay at 0, since the task began. */
export interface DetectCounts {
  /** Parts merged, or waiting to be. */
  readonly taken: number
  /** Parts that were there already, or that their own partition had sent before. */
  readonly repeated: number
  /** Parts below the frontier (their partition joined late, or lied), or of a source that was declared as left. */
  readonly late: number
  /** Records that are none of `panes`: each is a dead letter. */
  readonly refused: number
  readonly quarantined: number
  readonly forgotten: number
  /** Parts of entities beyond the bound of their tenant: not followed. */
  readonly beyondBound: number
}

/** What is written down beside entities and parts of panes. */
export interface FrontierPart {
  readonly completeness: ReturnType<Completeness['snapshot']>
  readonly scopes: readonly { readonly source: string; readonly partition: number | null; readonly closedMs: number }[]
  readonly counts: DetectCounts
  readonly configuration?: AdoptionSnapshot
  readonly crowding?: readonly Stretch[]
  readonly rebaselines?: readonly UnderWay[]
}

export interface DetectTask extends JudgingTask {
  readonly counts: DetectCounts
  readonly entityCount: number
}

/**
 * @param options.digest of the configuration, or of the one that the parts are under: part of every id
 * @param options.known configurations that a declared switch may name, by digest; no other one where absent
 * @param options.task number of the partition of `panes`
 * @param options.parts what {@link JudgingTask.changes} gave, all of it; null at the first start
 * @throws CONFIGURATION_INVALID
 */
export function createDetectTask(options: {
  config: DetectConfig
  digest: string
  known?: KnownConfigurations
  task: number
  taskCount: number
  parts: ReadonlyMap<string, Uint8Array> | null
}): DetectTask {
  return new Detect(options)
}

class Detect implements DetectTask {
  readonly #adoption: Adoption
  readonly #task: number
  readonly #taskCount: number
  readonly #parts: Parts
  readonly #completeness: Completeness
  readonly #scopes = new Map<string, ScopeState>()
  /** Entities followed, by scope and tenant: how scopes go ahead of each other must not decide who finds room. */
  readonly #entities = new Map<string, number>()
  readonly #crowding: Crowding
  readonly #rebaselines: Rebaselines
  /** By source. */
  readonly #leftOut = new Map<string, number>()
  #counts: { -readonly [Name in keyof DetectCounts]: number } = noCounts()
  #toldMs: number | null = null

  constructor(options: Parameters<typeof createDetectTask>[0]) {
    this.#adoption = new Adoption(options, options.known ?? (() => undefined))
    this.#task = options.task
    this.#taskCount = options.taskCount
    const stored = readStored(options.parts ?? new Map())
    this.#parts = new Parts(stored.keys)
    this.#completeness =
      stored.frontier === null ? new Completeness() : Completeness.restore(stored.frontier.completeness)
    if (stored.frontier !== null) this.#counts = { ...noCounts(), ...stored.frontier.counts }
    this.#restoreAdoption(stored.frontier?.configuration)
    this.#crowding = new Crowding(stored.frontier?.crowding)
    this.#rebaselines = new Rebaselines(stored.frontier?.rebaselines)
    for (const { closedMs, ...scope } of stored.frontier?.scopes ?? []) this.#scopeState(scope).closedMs = closedMs
    for (const { partId, scope, quarantined, parts } of stored.entities) {
      const state = this.#scopeState(scope)
      const { plan, digest } = this.#adoption.at(state.closedMs ?? Number.NEGATIVE_INFINITY)
      const entity = parts === null ? null : new Entity(plan, digest, parts)
      const key = entityKey(parts?.state ?? quarantined!)
      this.#countEntity(state, parts?.state ?? quarantined!, 1)
      state.setResident({ key, partId, entity, quarantined })
    }
    for (const pane of stored.panes) {
      const state = this.#scopeState(this.#completeness.scopeOf(pane))
      // its slide was judged: what an owner left behind that stored on top of another one's checkpoint is not judged again
      if (state.isClosed(pane)) this.#parts.remove(`pane/${pane.id}`)
      else state.addPart(pane)
    }
  }

  #restoreAdoption(snapshot: AdoptionSnapshot | undefined): void {
    const refused = snapshot === undefined ? null : this.#adoption.restore(snapshot)
    if (refused !== null)
      throw new SentinelError(
        'CONFIGURATION_CHANGED',
        `The checkpoint is under way to another configuration: ${refused}`,
      )
  }

  get watermarkMs(): number | null {
    return this.#completeness.watermarkMs
  }

  get digest(): string {
    return this.#adoption.current.digest
  }

  get pendingDigest(): string | null {
    return this.#adoption.pendingDigest
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
    const read = readPanesRecord(record, { task: this.#task, taskCount: this.#taskCount })
    if ('refused' in read) {
      this.#counts.refused++
      this.#parts.set('frontier', () => this.#frontierPart())
      yield refusal('panes', record, read.refused)
      return
    }
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
        if (read.type === 'source-left') yield* this.#endSource(this.#completeness.scopeOf(read))
        this.#completeness.settle()
        this.#completeSwitch()
        this.#rebaselines.complete(this.#judgedEverywhereMs())
        this.#parts.set('frontier', () => this.#frontierPart())
        return
      }
      case 'configuration-switch': {
        if (read.stage !== 'detect') return
        const isLate = read.atMs < (this.watermarkMs ?? Number.NEGATIVE_INFINITY)
        const refused = isLate ? 'a switch at a time that was judged already' : this.#adoption.declare(read)
        if (refused !== null) {
          this.#counts.refused++
          yield refusal('panes', record, refused)
        }
        this.#parts.set('frontier', () => this.#frontierPart())
        return
      }
      case 're-baseline': {
        const judged = [...this.#scopes.values()].map(({ closedMs }) => closedMs ?? Number.NEGATIVE_INFINITY)
        const refused = this.#rebaselines.declare(read, Math.max(Number.NEGATIVE_INFINITY, ...judged))
        if (refused !== null) {
          this.#counts.refused++
          yield refusal('panes', record, refused)
        }
        this.#parts.set('frontier', () => this.#frontierPart())
        return
      }
      case 'incarnation':
        return
    }
  }

  /** End of the latest slide that every scope with work has judged, and the watermark has passed. */
  #judgedEverywhereMs(): number {
    let least = this.watermarkMs ?? Number.NEGATIVE_INFINITY
    for (const scope of this.#scopes.values()) {
      if (scope.hasWork) least = Math.min(least, scope.closedMs ?? Number.NEGATIVE_INFINITY)
    }
    return least
  }

  /** The former configuration is let go once every scope has judged a slide by the next, and the watermark is there. */
  #completeSwitch(): void {
    for (let { pending } = this.#adoption; pending !== null; pending = this.#adoption.pending) {
      if (this.#judgedEverywhereMs() <= pending.atMs) return
      this.#adoption.complete()
    }
  }

  get following(): NonNullable<JudgingTask['following']> {
    return { entities: this.entityCount, leftOut: this.#leftOut }
  }

  endOfBatch(): readonly Emission[] {
    const { watermarkMs } = this
    if (watermarkMs === null || watermarkMs === this.#toldMs) return []
    this.#toldMs = watermarkMs
    const body: TaskWatermark = { type: 'task-watermark', task: this.#task, taskCount: this.#taskCount, watermarkMs }
    const id = idOf('task-watermark', this.digest, this.#task, watermarkMs)
    return [{ topic: 'casefile', route: 'every', key: String(this.#task), id, timeMs: watermarkMs, body }]
  }

  changes(): ReadonlyMap<string, Uint8Array | null> {
    return this.#parts.take()
  }

  #takePane(pane: Pane, bytes: Uint8Array): void {
    this.#parts.set('frontier', () => this.#frontierPart())
    if (this.#completeness.hasLeft(pane)) {
      this.#counts.late++
      return
    }
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
      state = new ScopeState({ source: scope.source, partition: scope.partition }, this.#adoption.current.plan.slideMs)
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
      const note = 'Its source was declared anew, with another partitioning: its state is dropped, and it begins anew'
      for (const resident of scope.residents) yield* this.#endWithScope(scope, resident, note)
      yield* this.#endScope(scope)
      for (const pane of scope.pendingParts()) this.#scopeState(this.#completeness.scopeOf(pane)).addPart(pane)
    }
  }

  /** Nothing of a scope is read any more: what was sent is judged to its end, then its entities are taken leave of. */
  *#endSource(of: ScopeState['scope']): Step {
    const scope = this.#scopes.get(scopeKey(of))
    if (scope === undefined || !this.#completeness.isOver(of)) return
    const lastMs = scope.lastPendingMs
    if (lastMs !== null) yield* this.#advance(scope, lastMs)
    if (scope.closedMs !== null) this.#completeness.close(of, scope.closedMs)
    this.#scopes.delete(scopeKey(of))
    const note = 'Its source is read no more: its state is dropped, and it begins anew if the source comes back'
    for (const resident of scope.residents) yield* this.#endWithScope(scope, resident, note)
    yield* this.#endScope(scope)
  }

  *#endScope(scope: ScopeState): Step {
    if (scope.closedMs === null) return
    yield* this.#endStretches(scope, { endMs: scope.closedMs + this.#adoption.current.plan.slideMs, isGone: true })
  }

  *#endWithScope(scope: ScopeState, resident: Resident, note: string): Step {
    const { entity, quarantined } = resident
    const standing = entity?.standingVotes() ?? []
    this.#removeParts(resident)
    this.#countEntity(scope, entity?.state ?? quarantined!, -1)
    this.#counts.forgotten++
    if (standing.length === 0) return
    // The slide that would have come next: after everything that the watermark has passed.
    const endMs = scope.closedMs! + this.#adoption.current.plan.slideMs
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
      yield* this.#endStretches(scope, { endMs, isGone: scope.entityCount === 0 })
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
    const { plan, digest } = this.#adoption.at(endMs)
    if (parts.length > 0 && isRest(parts[0]!)) yield* this.#crowd(scope, parts[0]!, { endMs, note: foldedNote })
    else if (known === undefined && !this.#hasRoom(scope, parts[0]!, plan)) {
      yield* this.#leaveOut(scope, parts, { endMs, entitiesMax: plan.entitiesMax(parts[0]!.tenant) })
      return
    }
    const entity = known?.entity ?? Entity.first(plan, digest, { pane: parts[0]!, slideEndMs: endMs })
    if (entity.digest !== digest) {
      for (const id of entity.adopt(plan, digest)) this.#parts.remove(`reference/${partId}/${id}`)
    }
    for (const anew of this.#rebaselines.dueFor(entity.state, endMs)) entity.declareAnew(anew)
    const resident = known ?? { key, partId, entity, quarantined: null }
    if (known === undefined) {
      this.#countEntity(scope, entity.state, 1)
      scope.setResident(resident)
    }
    if (parts.length === 0 && endMs - entity.state.lastSeenMs >= plan.forgetAfterMs) {
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
    const { measurement, finding, changes } = evaluation
    const learned = changes.reference === null ? [] : referenceParts(referenceRecord(entity.state, changes.reference))
    for (const part of [...learned, ...measurementParts(measurement)]) {
      const { id, tenant, entity: name } = part
      yield { topic: 'measurements', route: 'own', key: `${tenant}/${name}`, id, timeMs: endMs, body: part }
    }
    if (finding !== null) yield* this.#tell(finding)
  }

  /** As many records as it takes; respond takes each as a finding of its own. */
  *#tell(finding: Finding): Step {
    for (const part of findingParts(finding)) {
      const { id, tenant, timeMs } = part
      yield { topic: 'casefile', route: 'key', key: tenant, id, timeMs, body: part }
    }
  }

  #countEntity(scope: ScopeState, of: Pick<Pane, 'tenant' | 'kind' | 'entity'>, by: number): void {
    if (isRest(of)) return
    const key = tenantKey(scope, of)
    this.#entities.set(key, (this.#entities.get(key) ?? 0) + by)
  }

  /** Entities spread over the tasks by their names: each has an equal share. */
  #hasRoom(scope: ScopeState, of: Pane, plan: Plan): boolean {
    const share = Math.ceil(plan.entitiesMax(of.tenant) / this.#taskCount)
    return (this.#entities.get(tenantKey(scope, of)) ?? 0) < share
  }

  /** An entity for which its tenant has no room: its parts are counted, and not judged. */
  *#leaveOut(scope: ScopeState, parts: readonly Pane[], of: { endMs: number; entitiesMax: number }): Step {
    const { source } = parts[0]!
    this.#counts.beyondBound += parts.length
    this.#leftOut.set(source, (this.#leftOut.get(source) ?? 0) + parts.length)
    const note = `More than ${of.entitiesMax} entities (detect.maxEntities): further ones are not judged, until others are forgotten`
    yield* this.#crowd(scope, parts[0]!, { endMs: of.endMs, note })
  }

  /** Something is beyond a bound on entities: told where it begins. */
  *#crowd(scope: ScopeState, of: Pane, { endMs, note }: { endMs: number; note: string }): Step {
    const key = tenantKey(scope, of)
    // what joined late and lies below the watermark is no news
    if (this.#crowding.prolong(key, endMs) || endMs <= (this.watermarkMs ?? -Infinity)) return
    const { source, tenant, kind } = of
    const name = { source, tenant, kind, entity: restOf(kind) }
    this.#crowding.begin({ key, name, lastMs: endMs })
    const { digest } = this.#adoption.at(endMs)
    yield* this.#tell(crowdingFinding({ digest, name, endMs, note, isOver: false }))
  }

  /** @param of.isGone nothing of the scope is followed any more: its stretches end at once */
  *#endStretches(scope: ScopeState, { endMs, isGone }: { endMs: number; isGone: boolean }): Step {
    if (endMs <= (this.watermarkMs ?? -Infinity)) return
    const { plan, digest } = this.#adoption.at(endMs)
    const quietMs = isGone ? 0 : plan.windowMs
    const ended = this.#crowding.endedAt(scopeKey(scope.scope), { endMs, quietMs })
    const note = 'Nothing is beyond the bounds on entities any more'
    for (const name of ended) yield* this.#tell(crowdingFinding({ digest, name, endMs, note, isOver: true }))
  }

  #writeDown(scope: ScopeState, { partId, entity }: Resident, { changes }: Evaluation): void {
    const { source, partition } = scope.scope
    for (const id of changes.droppedReferences) this.#parts.remove(`reference/${partId}/${id}`)
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
    } else if (slide.endMs - state.lastSeenMs >= this.#adoption.at(slide.endMs).plan.forgetAfterMs) {
      yield* this.#forget(scope, resident, slide.endMs)
    }
  }

  *#forget(scope: ScopeState, resident: Resident, endMs: number): Step {
    const { entity, quarantined } = resident
    const name = entity?.state ?? quarantined!
    this.#removeParts(resident)
    this.#countEntity(scope, name, -1)
    scope.removeResident(resident.key)
    this.#counts.forgotten++
    const note = `No event for ${this.#adoption.at(endMs).plan.forgetAfterMs} ms: its state is dropped, and it begins anew when it comes back`
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
    yield* this.#tell(farewell(problem, { ...of, digest: this.#adoption.at(of.endMs).digest }))
  }

  #frontierPart(): FrontierPart {
    const scopes = [...this.#scopes.keys()].sort().flatMap((key) => {
      const { scope, closedMs } = this.#scopes.get(key)!
      return closedMs === null ? [] : [{ ...scope, closedMs }]
    })
    const configuration = this.#adoption.snapshot()
    return {
      completeness: this.#completeness.snapshot(),
      scopes,
      counts: this.counts,
      configuration,
      crowding: this.#crowding.snapshot(),
      rebaselines: this.#rebaselines.snapshot(),
    }
  }
}

const foldedNote =
  'A pane had more entities than sources[].maxEntities, or more features of them than its share of sources[].maxCells: further ones are folded into this one'

function isRest({ kind, entity }: Pick<Pane, 'kind' | 'entity'>): boolean {
  return entity === restOf(kind)
}

function tenantKey({ scope }: ScopeState, { tenant }: Pick<Pane, 'tenant'>): string {
  return `${scopeKey(scope)}\0${tenant}`
}

function noCounts(): DetectCounts {
  return { taken: 0, repeated: 0, late: 0, refused: 0, quarantined: 0, forgotten: 0, beyondBound: 0 }
}

function partIdOf({ scope }: ScopeState, { tenant, entity }: Pane): string {
  return idOf('entity', scope.source, scope.partition, tenant, entity)
}
