/** Kills and stops the workers of one group while records flow, by the draw of a seed; then judges what is left. */
import { sessionTimeoutMs } from '../../stream/io/kafka/stage-consumer.ts'
import type { Random } from '../../stream/simulate/random.ts'
import type { Group } from './group.ts'
import { mayThrowAt, type PlannedHit } from './plan.ts'
import type { Tally } from './tally.ts'
import type { WorkerProcess } from './worker-process.ts'

export interface CampaignOptions {
  readonly group: Group
  /** Workers at a time (count). */
  readonly workers: number
  /** Asked before each kill, of all groups of a run together. @returns whether one more is due */
  readonly takeKill: () => boolean
  readonly random: Random
  readonly tally: Tally
  /** Partitions of this group are declared idle, so that these failpoints can be reached. */
  readonly idle: boolean
  /** Also stops processes beyond their session. */
  readonly zombies: boolean
}

/** A start that waits for the session of a dead one, on a busy machine. */
const readyMsMax = 90_000
/** So long a life waits for its failpoint; some are reached only when something is to be told. */
const hitMsMax = 8_000

/** Half a minute of event time: every life finds work, and none is buried in it. */
const recordsPerLife = 250

/** @returns how many processes were stopped beyond their session: what they had in hand may stand twice */
export async function campaign(options: CampaignOptions): Promise<number> {
  const { group, workers } = options
  const lanes = new Campaign(options)
  group.feed()
  await Promise.all(Array.from({ length: workers }, () => lanes.lives()))
  return lanes.end()
}

class Campaign {
  private readonly options: CampaignOptions
  /** Stopped processes on their way to their end. */
  private readonly zombies = new Set<Promise<void>>()
  private isBroken = false

  constructor(options: CampaignOptions) {
    this.options = options
  }

  /** One worker after the other, until there is nothing left to kill. */
  async lives(): Promise<void> {
    const { takeKill, tally } = this.options
    while (!this.isBroken && takeKill()) {
      const planned = this.plan()
      this.options.group.allow(recordsPerLife)
      const worker = this.options.group.worker(planned === null ? [] : [planned])
      try {
        await this.live(worker, planned)
      } finally {
        for (const what of worker.hits) tally.hit(what)
        const first = Math.min(...[...worker.firstMs].filter(([stage]) => stage !== 'store').map(([, ms]) => ms))
        if (Number.isFinite(first)) tally.firstMs.push(first)
        else tally.livesWithoutRecord++
      }
    }
  }

  async end(): Promise<number> {
    await Promise.all(this.zombies)
    return this.zombies.size
  }

  private plan(): PlannedHit | null {
    const { random, tally, idle, zombies } = this.options
    const draw = random.uniform()
    if (draw < 0.25) return null
    const act = draw < 0.85 ? 'kill' : draw < 0.93 && zombies ? 'stop' : 'throw'
    const isReachable = (point: string) => (idle || !point.includes('/idle/')) && (act !== 'throw' || mayThrowAt(point))
    const point = tally.nextPoint(random, isReachable)
    const isOften = /\/(checkpoint|send|commit|write|fold)/.test(point) && !tally.isHardToReach(point)
    const nth = isOften ? 1 + random.integer(4) : 1
    return { point, nth, act }
  }

  private async live(worker: WorkerProcess, planned: PlannedHit | null): Promise<void> {
    const { random } = this.options
    if (planned === null) {
      // one of four before it is ready, the others in the middle of their work, or a while after
      if (random.uniform() < 0.25) await worker.until(() => false, random.integer(4_000))
      else {
        await worker.until(() => worker.firstMs.size > 0, readyMsMax)
        await worker.until(() => false, random.integer(3_000))
      }
    } else {
      const reached = () => worker.hits.length > 0
      await worker.until(() => reached() || worker.isReady, readyMsMax)
      await worker.until(reached, hitMsMax)
    }
    if (worker.hasStopped) {
      const zombie = this.bringBack(worker)
      this.zombies.add(zombie)
      return
    }
    if (worker.hits.some((what) => what.endsWith(' kill'))) await worker.ended
    if (worker.hits.at(-1)?.endsWith(' throw') === true) await worker.until(() => false, 2_000 + random.integer(3_000))
    if (worker.hasEnded && worker.hits.length === 0) await this.tellUnasked(worker)
    await this.kill(worker)
  }

  /** A kill is what SIGKILL ended: not what had ended before by itself. */
  private async kill(worker: WorkerProcess): Promise<void> {
    const { tally } = this.options
    await worker.kill()
    const { signal } = await worker.ended
    if (signal !== 'SIGKILL') tally.endedBefore++
    else {
      tally.kills++
      if (!worker.hits.some((what) => what.endsWith(' kill'))) tally.killsAtRandom++
    }
  }

  /** Lets a stopped process go on after the group has given its partitions to others, and ends it a while later. */
  private async bringBack(worker: WorkerProcess): Promise<void> {
    const { tally, random } = this.options
    await worker.until(() => false, sessionTimeoutMs + 2_000 + random.integer(2_000))
    worker.signal('SIGCONT')
    tally.zombies++
    await worker.until(() => false, 3_000 + random.integer(3_000))
    await this.kill(worker)
  }

  private async tellUnasked(worker: WorkerProcess): Promise<void> {
    const { code, signal } = await worker.ended
    // no broker or no database at the start: a supervisor tries again
    if (code === 69) {
      this.options.tally.blew('start refused')
      await new Promise((resolve) => setTimeout(resolve, 1_000))
      return
    }
    this.options.tally.unasked.push(`${code ?? signal}: ${worker.tail().slice(-2_000)}`)
    // a supervisor would start it again; one that dies at every start is no case for that
    if (this.options.tally.unasked.length > 20) this.isBroken = true
  }
}
