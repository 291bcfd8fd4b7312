/** What happened in a run, counted; and which failpoint is to be hit next. */
import { failpointNames } from '../../stream/io/kafka/failpoint.ts'
import type { Random } from '../../stream/simulate/random.ts'
import type { Verdict } from './verdict.ts'

export class Tally {
  /** SIGKILLs of worker processes, the ones that they gave themselves included. */
  kills = 0
  killsAtRandom = 0
  /** Lives that were to be killed, and had ended by themselves before. */
  endedBefore = 0
  /** Processes stopped beyond the session's timeout, and let go on. */
  zombies = 0
  /** By `<point> <act>`. */
  readonly hits = new Map<string, number>()
  /** ms from the start of a process to the first record that it took, for each that took one. */
  readonly firstMs: number[] = []
  /** Lives that ended before they took one. */
  livesWithoutRecord = 0
  /** ms from SIGTERM to the end. */
  readonly stopMs: number[] = []
  /** What was done to brokers, database and connections. */
  readonly weather = new Map<string, number>()
  /** Ends of a worker that nobody asked for: `<exit code or signal>`, and its last words. */
  readonly unasked: string[] = []
  readonly verdicts: Verdict[] = []
  /** Judged groups in which nothing may stand twice; in the others a bound holds. */
  strictGroups = 0
  /** Groups that did not come to rest, or could not be judged. */
  readonly failures: string[] = []
  private readonly planned = new Map<string, number>()

  hit(what: string): void {
    this.hits.set(what, (this.hits.get(what) ?? 0) + 1)
  }

  blew(what: string): void {
    this.weather.set(what, (this.weather.get(what) ?? 0) + 1)
  }

  /** The failpoint that was planned least often so far, among those that can be reached. */
  nextPoint(random: Random, isReachable: (point: string) => boolean): string {
    let best = ''
    let least = Number.POSITIVE_INFINITY
    for (const point of failpointNames) {
      if (!isReachable(point)) continue
      // what was planned and not reached is planned again sooner than what was hit
      const hits = this.hitsAt(point)
      const planned = this.planned.get(point) ?? 0
      const weight = (hits === 0 ? planned / 4 : hits * 2 + planned) + random.uniform()
      if (weight < least) [best, least] = [point, weight]
    }
    this.planned.set(best, (this.planned.get(best) ?? 0) + 1)
    return best
  }

  /** Planned twice and not reached: a stage that has little to send gets there once in a life, or not at all. */
  isHardToReach(point: string): boolean {
    return this.hitsAt(point) === 0 && (this.planned.get(point) ?? 0) > 2
  }

  hitsAt(point: string): number {
    let sum = 0
    for (const [what, count] of this.hits) if (what.startsWith(`${point} `)) sum += count
    return sum
  }

  get neverHit(): string[] {
    return failpointNames.filter((point) => this.hitsAt(point) === 0)
  }

  get wrong(): string[] {
    return [...this.failures, ...this.verdicts.flatMap(({ wrong }) => wrong)]
  }

  /** Times that something was done to brokers or their connections: an answer may have been lost. */
  get brokerWeather(): number {
    let sum = 0
    for (const [what, count] of this.weather) if (/^(broker|produce)/.test(what)) sum += count
    return sum
  }

  get repeated(): string[] {
    return this.verdicts.flatMap(({ repeated }) => repeated.map(({ key }) => key))
  }

  /** A report that people read. */
  text(): string {
    const sum = (of: (verdict: Verdict) => number) => this.verdicts.reduce((total, verdict) => total + of(verdict), 0)
    const records: Record<string, number> = {}
    for (const { counts } of this.verdicts)
      for (const [name, count] of Object.entries(counts)) records[name] = (records[name] ?? 0) + count
    return [
      `kills: ${this.kills} by SIGKILL, ${this.killsAtRandom} of them at random moments, the others at failpoints; ${this.endedBefore} lives had ended before their kill`,
      `zombies: ${this.zombies} processes stopped beyond the session and let go on`,
      `weather: ${[...this.weather].map(([what, count]) => `${what} ${count}`).join(', ') || 'none'}`,
      `start to first record: ${quantiles(this.firstMs)}; ${this.livesWithoutRecord} lives took none`,
      `SIGTERM to the end: ${quantiles(this.stopMs)}`,
      `compared: ${this.verdicts.length} groups, ${sum(({ sourceRecords }) => sourceRecords)} source records, ${sum(({ idleDeclarations }) => idleDeclarations)} idle declarations, ${sum(({ answers }) => answers)} answers`,
      `distinct records: ${Object.entries(records)
        .map(([name, count]) => `${name} ${count}`)
        .join(', ')}`,
      `repeated with the same id and bytes on topics that are written once: ${this.repeated.length}`,
      `groups in which nothing may be repeated: ${this.strictGroups}; in which what a stop or a lost answer explains may: ${this.verdicts.length - this.strictGroups}`,
      `ends that nobody asked for: ${this.unasked.length}`,
      `failpoints: ${failpointNames.map((point) => `${point} ${this.hitsAt(point)}`).join(', ')}`,
      `never hit: ${this.neverHit.join(', ') || 'none'}`,
      `wrong: ${this.wrong.length === 0 ? 'nothing' : `\n  ${this.wrong.map((line) => line.slice(0, 600)).join('\n  ')}`}`,
    ].join('\n')
  }
}

function quantiles(values: readonly number[]): string {
  if (values.length === 0) return 'none measured'
  const sorted = [...values].sort((a, b) => a - b)
  const at = (q: number) =>
    `${(sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))]! / 1000).toFixed(1)} s`
  return `p50 ${at(0.5)}, p99 ${at(0.99)}, most ${at(1)} (${values.length} measured)`
}
