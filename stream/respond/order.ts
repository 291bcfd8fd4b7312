/**
 * Findings in the order (event time, id), however the detect tasks interleaved: one waits until the watermark of every
 * task has passed it.
 *
 * When one detect task is far behind, those of the others wait, and memory has a bound. Beyond it the last in order are
 * let go: their bytes are on the log, and where they begin is kept. Once the frontier comes to them, that stretch of the
 * log is read again. So nothing is lost, nothing changes its turn, and no other record has to wait.
 */
import type { TaskWatermark } from '../contract/case.ts'
import { compareCodeUnits } from '../contract/encoding.ts'
import type { Finding, Vote } from '../contract/finding.ts'
import { invariant } from '../errors.ts'

/** Votes of the findings that wait in memory, at most: some 100 MB, a finding of a service having a few. */
export const bufferedVotesMax = 250_000

/** A finding without its evidence: what respond decides by. */
export interface TakenFinding
  extends Pick<Finding, 'id' | 'tenant' | 'entity' | 'kind' | 'source' | 'timeMs' | 'note' | 'rebaselined'>,
    Partial<Pick<Finding, 'measurementId'>> {
  readonly votes: readonly TakenVote[]
}

export interface TakenVote
  extends Pick<Vote, 'vote' | 'feature' | 'problem' | 'status' | 'score' | 'onsetMs' | 'settled'>,
    Pick<Finding['votes'][number], 'changed'> {}

/** Findings that were let go: all at or above `lowest` in order, on the log from `fromOffset` until before `toOffset`. */
export interface LetGo {
  readonly lowest: Pick<TakenFinding, 'timeMs' | 'id'>
  readonly fromOffset: number
  readonly toOffset: number
}

/** A finding and where the log has it. */
export interface Waiting {
  readonly finding: TakenFinding
  readonly offset: number
}

export interface OrderSnapshot {
  readonly taskCount: number | null
  /** By task, ascending. */
  readonly watermarks: readonly (readonly [number, number])[]
  readonly findings: readonly Waiting[]
  readonly letGo: LetGo | null
}

export class Order {
  readonly #votesMax: number
  #taskCount: number | null = null
  readonly #watermarks = new Map<number, number>()
  readonly #waiting = new WaitingFindings()
  #letGo: LetGo | null = null
  /** What of the log is read again, until all of it was shown; null while nothing is. */
  #again: WaitingFindings | null = null
  #letGoAgain: LetGo | null = null

  /** @param votesMax smaller only in tests */
  constructor(votesMax = bufferedVotesMax) {
    this.#votesMax = votesMax
  }

  static restore(snapshot: OrderSnapshot, votesMax = bufferedVotesMax): Order {
    const order = new Order(votesMax)
    order.#taskCount = snapshot.taskCount
    for (const [task, watermarkMs] of snapshot.watermarks) order.#watermarks.set(task, watermarkMs)
    for (const one of snapshot.findings) order.#waiting.add(one)
    order.#letGo = snapshot.letGo
    return order
  }

  snapshot(): OrderSnapshot {
    return {
      taskCount: this.#taskCount,
      watermarks: [...this.#watermarks].sort(([a], [b]) => a - b),
      findings: this.#waiting.all(),
      letGo: this.#letGo,
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
   * Keeps a finding until its turn, or notes where the log has it. One at or below the watermark that its task sent was
   * sent before; above it, one is known by its id. O(log n) comparisons.
   */
  addFinding(task: number, finding: TakenFinding, offset: number): 'taken' | 'let-go' | 'duplicate' {
    const watermarkMs = this.#watermarks.get(task) ?? this.leastWatermarkMs
    if (watermarkMs !== null && finding.timeMs <= watermarkMs) return 'duplicate'
    if (this.#letGo !== null && compareFindings(finding, this.#letGo.lowest) >= 0) {
      this.#letGo = withOne(this.#letGo, { finding, offset })
      return 'let-go'
    }
    if (!this.#waiting.add({ finding, offset })) return 'duplicate'
    this.#letGo = this.#waiting.shrinkTo(this.#votesMax, this.#letGo)
    return 'taken'
  }

  /** The first in order, whether or not the watermarks have passed it. */
  peek(): TakenFinding | undefined {
    return this.#waiting.first
  }

  take(): TakenFinding {
    return this.#waiting.take()
  }

  /** Findings let go whose turn comes at or before `untilMs`: nothing may be taken until they were shown again. */
  missing(untilMs: number): LetGo | null {
    if (this.#letGo === null || this.#waiting.first !== undefined || this.#letGo.lowest.timeMs > untilMs) return null
    return this.#letGo
  }

  get letGo(): LetGo | null {
    return this.#letGo
  }

  /** Shows a finding of the stretch again, each of them once and in the order of the log. */
  showAgain(finding: TakenFinding, offset: number): void {
    const letGo = this.#letGo
    invariant(letGo !== null, 'nothing was let go')
    if (compareFindings(finding, letGo.lowest) < 0) return
    this.#again ??= new WaitingFindings()
    const one = { finding, offset }
    if (this.#letGoAgain !== null && compareFindings(finding, this.#letGoAgain.lowest) >= 0) {
      this.#letGoAgain = withOne(this.#letGoAgain, one)
    } else if (this.#again.add(one)) {
      this.#letGoAgain = this.#again.shrinkTo(this.#votesMax, this.#letGoAgain)
    }
  }

  /** All was shown: the first of them wait in memory now, the rest stays let go. */
  endShowing(): void {
    for (const one of this.#again?.all() ?? []) this.#waiting.add(one)
    this.#letGo = this.#letGoAgain
    this.#again = null
    this.#letGoAgain = null
  }
}

function withOne(letGo: LetGo | null, { finding, offset }: Waiting): LetGo {
  const { timeMs, id } = finding
  const own = { lowest: { timeMs, id }, fromOffset: offset, toOffset: offset + 1 }
  if (letGo === null) return own
  return {
    lowest: compareFindings(finding, letGo.lowest) < 0 ? own.lowest : letGo.lowest,
    fromOffset: Math.min(letGo.fromOffset, offset),
    toOffset: Math.max(letGo.toOffset, offset + 1),
  }
}

/** Findings in order, each once. */
class WaitingFindings {
  /** Ascending; those before `#head` have been taken. */
  #list: Waiting[] = []
  #head = 0
  readonly #ids = new Set<string>()
  #votes = 0

  /** @returns false for one that waits already */
  add(one: Waiting): boolean {
    if (this.#ids.has(one.finding.id)) return false
    this.#ids.add(one.finding.id)
    this.#list.splice(this.#position(one.finding), 0, one)
    this.#votes += weight(one)
    return true
  }

  all(): readonly Waiting[] {
    return this.#list.slice(this.#head)
  }

  get first(): TakenFinding | undefined {
    return this.#list[this.#head]?.finding
  }

  take(): TakenFinding {
    const one = this.#list[this.#head]
    invariant(one !== undefined, 'no finding waits')
    this.#head++
    this.#forget(one)
    if (this.#head >= 1024 && this.#head * 2 > this.#list.length) {
      this.#list = this.#list.slice(this.#head)
      this.#head = 0
    }
    return one.finding
  }

  /** Lets the last in order go, but never all of them. */
  shrinkTo(votesMax: number, letGo: LetGo | null): LetGo | null {
    let result = letGo
    while (this.#votes > votesMax && this.#list.length - this.#head > 1) {
      const last = this.#list.pop()!
      this.#forget(last)
      result = withOne(result, last)
    }
    return result
  }

  #forget(one: Waiting): void {
    this.#ids.delete(one.finding.id)
    this.#votes -= weight(one)
  }

  #position(finding: TakenFinding): number {
    let low = this.#head
    let high = this.#list.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (compareFindings(this.#list[middle]!.finding, finding) < 0) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** A finding counts as one vote more than it has: without votes it takes room too. */
function weight({ finding }: Waiting): number {
  return finding.votes.length + 1
}

type Place = Pick<TakenFinding, 'timeMs' | 'id'>

export function compareFindings(a: Place, b: Place): number {
  return a.timeMs - b.timeMs || compareCodeUnits(a.id, b.id)
}

/** Drops what respond does not decide by: a finding may wait long. */
export function takenFinding(finding: Finding): TakenFinding {
  const { id, tenant, entity, kind, source, timeMs, note, measurementId, rebaselined } = finding
  const votes = finding.votes.map(({ vote, feature, problem, status, score, onsetMs, settled, changed }) => {
    const kept = { vote, feature, problem, status, score, changed }
    return { ...kept, ...(onsetMs === undefined ? {} : { onsetMs }), ...(settled && { settled }) }
  })
  const name = { id, tenant, entity, kind, source, timeMs, measurementId }
  return { ...name, votes, ...(note === undefined ? {} : { note }), ...(rebaselined && { rebaselined }) }
}

/** The detect task that sent a record, from its header `detect/<task>:<input offset>:<n>[:<incarnation>]`; null where there is none. */
export function taskOfLineage(lineage: string | undefined): number | null {
  const task = /^detect\/(\d{1,9}):\d+:\d+(:[0-9a-f]*)?$/.exec(lineage ?? '')?.[1]
  return task === undefined ? null : Number(task)
}
