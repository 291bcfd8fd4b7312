/**
 * Findings in the order (event time, id), however the detect tasks interleaved: one waits until the watermark of every
 * task has passed it.
 */
import type { TaskWatermark } from '../contract/case.ts'
import { compareCodeUnits } from '../contract/encoding.ts'
import type { Finding, Vote } from '../contract/finding.ts'
import { invariant } from '../errors.ts'

/** Findings that wait at most: with more, some detect task has not spoken for very long, and memory would not hold. */
export const bufferedFindingsMax = 100_000

/** A finding without its evidence: what respond decides by. */
export interface TakenFinding
  extends Pick<Finding, 'id' | 'tenant' | 'entity' | 'kind' | 'source' | 'timeMs' | 'note'> {
  readonly votes: readonly TakenVote[]
}

export interface TakenVote
  extends Pick<Vote, 'vote' | 'feature' | 'problem' | 'status' | 'score' | 'onsetMs'>,
    Pick<Finding['votes'][number], 'changed'> {}

export interface OrderSnapshot {
  readonly taskCount: number | null
  /** By task, ascending. */
  readonly watermarks: readonly (readonly [number, number])[]
  readonly findings: readonly TakenFinding[]
}

export class Order {
  #taskCount: number | null = null
  readonly #watermarks = new Map<number, number>()
  /** Ascending; those before `#head` have been taken. */
  #findings: TakenFinding[] = []
  #head = 0
  readonly #ids = new Set<string>()

  static restore(snapshot: OrderSnapshot): Order {
    const order = new Order()
    order.#taskCount = snapshot.taskCount
    for (const [task, watermarkMs] of snapshot.watermarks) order.#watermarks.set(task, watermarkMs)
    order.#findings = [...snapshot.findings]
    for (const finding of snapshot.findings) order.#ids.add(finding.id)
    return order
  }

  snapshot(): OrderSnapshot {
    return {
      taskCount: this.#taskCount,
      watermarks: [...this.#watermarks].sort(([a], [b]) => a - b),
      findings: this.#findings.slice(this.#head),
    }
  }

  /** The least watermark over all tasks; null (-∞) until each has spoken. */
  get leastWatermarkMs(): number | null {
    if (this.#taskCount === null || this.#watermarks.size < this.#taskCount) return null
    return Math.min(...this.#watermarks.values())
  }

  /** @returns `contradicts` for another number of tasks than declared before, or a task beyond it: changes nothing. */
  addWatermark(
    record: Pick<TaskWatermark, 'task' | 'taskCount' | 'watermarkMs'>,
  ): 'raised' | 'repeated' | 'contradicts' {
    if (record.task >= record.taskCount || record.taskCount !== (this.#taskCount ?? record.taskCount))
      return 'contradicts'
    const before = this.#watermarks.get(record.task)
    this.#taskCount = record.taskCount
    if (before !== undefined && record.watermarkMs <= before) return 'repeated'
    this.#watermarks.set(record.task, record.watermarkMs)
    return 'raised'
  }

  /**
   * Keeps a finding until its turn. One at or below the watermark that its task sent was sent before; above it, one is
   * known by its id. O(log n) comparisons.
   *
   * @throws INVARIANT_BROKEN beyond {@link bufferedFindingsMax}
   */
  addFinding(task: number, finding: TakenFinding): 'taken' | 'duplicate' {
    const watermarkMs = this.#watermarks.get(task) ?? this.leastWatermarkMs
    if (watermarkMs !== null && finding.timeMs <= watermarkMs) return 'duplicate'
    if (this.#ids.has(finding.id)) return 'duplicate'
    invariant(
      this.#ids.size < bufferedFindingsMax,
      `${bufferedFindingsMax} findings wait for the watermarks of ${this.#silentTasks()}: look at why detect is behind there`,
    )
    this.#ids.add(finding.id)
    this.#findings.splice(this.#position(finding), 0, finding)
    return 'taken'
  }

  /** The first in order, whether or not the watermarks have passed it. */
  peek(): TakenFinding | undefined {
    return this.#findings[this.#head]
  }

  take(): TakenFinding {
    const finding = this.#findings[this.#head]
    invariant(finding !== undefined, 'no finding waits')
    this.#head++
    this.#ids.delete(finding.id)
    if (this.#head >= 1024 && this.#head * 2 > this.#findings.length) {
      this.#findings = this.#findings.slice(this.#head)
      this.#head = 0
    }
    return finding
  }

  #position(finding: TakenFinding): number {
    let low = this.#head
    let high = this.#findings.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (compareFindings(this.#findings[middle]!, finding) < 0) low = middle + 1
      else high = middle
    }
    return low
  }

  #silentTasks(): string {
    if (this.#taskCount === null) return 'all detect tasks'
    const least = this.leastWatermarkMs
    const behind: number[] = []
    for (let task = 0; task < this.#taskCount; task++) {
      const watermarkMs = this.#watermarks.get(task)
      if (watermarkMs === undefined || watermarkMs === least) behind.push(task)
    }
    return `detect tasks ${behind.slice(0, 20).join(', ')}`
  }
}

export function compareFindings(a: TakenFinding, b: TakenFinding): number {
  return a.timeMs - b.timeMs || compareCodeUnits(a.id, b.id)
}

/** Drops what respond does not decide by: a finding may wait long. */
export function takenFinding(finding: Finding): TakenFinding {
  const { id, tenant, entity, kind, source, timeMs, note } = finding
  const votes = finding.votes.map(({ vote, feature, problem, status, score, onsetMs, changed }) => {
    return { vote, feature, problem, status, score, changed, ...(onsetMs === undefined ? {} : { onsetMs }) }
  })
  return { id, tenant, entity, kind, source, timeMs, votes, ...(note === undefined ? {} : { note }) }
}

/** The detect task that sent a record, from its header `detect/<task>:<input offset>:<n>[:<incarnation>]`; null where there is none. */
export function taskOfLineage(lineage: string | undefined): number | null {
  const task = /^detect\/(\d{1,9}):\d+:\d+(:[0-9a-f]*)?$/.exec(lineage ?? '')?.[1]
  return task === undefined ? null : Number(task)
}
