/** Groups side by side, killed until enough were: what the command and the test share. */
import { createRandom } from '../../stream/simulate/random.ts'
import { campaign } from './campaign.ts'
import { startCluster } from './cluster.ts'
import { Group } from './group.ts'
import { tooOftenRepeated } from './repetition.ts'
import { Tally } from './tally.ts'
import { Weather } from './weather.ts'
import { buildWorker } from './worker-process.ts'

export interface HarnessOptions {
  /** At least so many; up to half as many more where a failpoint was not hit by then. */
  readonly kills: number
  /** Groups at a time; the first has one worker, the second two, up to {@link workers}, and from one again. */
  readonly groups: number
  readonly workers: number
  readonly seed: number
  /** Kills after which a group is judged and another begins. */
  readonly killsPerGroup: number
  readonly zombies: boolean
  /** Brokers, database and connections break too. */
  readonly weather: boolean
  readonly report: (line: string) => void
  /** Ends the killing; what is there by then is judged. */
  readonly signal?: AbortSignal
}

export async function runHarness(options: HarnessOptions): Promise<Tally> {
  const { report, seed, weather } = options
  const tally = new Tally()
  const workerFile = await buildWorker()
  const cluster = await startCluster({ brokers: weather ? 2 : 1, report })
  const storm = weather ? new Weather({ cluster, random: createRandom(seed, 1), tally }) : null
  const startedMs = performance.now()
  const minutes = () => `${((performance.now() - startedMs) / 60_000).toFixed(1)} min`
  let left = options.kills
  // chance alone leaves a failpoint out once in some runs: half as many kills again go to those
  let extra = Math.ceil(options.kills / 2)
  const takeDue = () => {
    if (left > 0) left--
    else if (extra > 0 && tally.neverHit.length > 0) extra--
    else return false
    return true
  }
  const isDue = () => left > 0 || (extra > 0 && tally.neverHit.length > 0)
  options.signal?.addEventListener('abort', () => {
    left = 0
    extra = 0
  })
  try {
    storm?.start()
    const lane = async (index: number) => {
      const workers = 1 + (index % options.workers)
      for (let round = 0; isDue(); round++) {
        const groupSeed = seed * 1_000 + index * 100_000 + round
        const idle = (index + round) % 2 === 0
        const { environment, direct, replicationFactor } = cluster
        const group = await Group.create({ seed: groupSeed, workerFile, environment, direct, replicationFactor, idle })
        try {
          let own = options.killsPerGroup
          const takeKill = () => own > 0 && takeDue() && own-- > 0
          const random = createRandom(groupSeed, 2)
          const blownBefore = tally.brokerWeather
          const stopped = await campaign({ group, workers, takeKill, random, tally, idle, zombies: options.zombies })
          const { verdict, stopMs } = await group.finish()
          tally.verdicts.push(verdict)
          tally.stopMs.push(stopMs)
          // one more may be on its way: it is counted when it is over
          const blown = weather ? tally.brokerWeather - blownBefore + 1 : 0
          if (stopped === 0 && blown === 0) tally.strictGroups++
          for (const problem of tooOftenRepeated(verdict.repeated, { stopped, blown }))
            tally.failures.push(`group of ${workers}, seed ${groupSeed}: ${problem}`)
          const state = verdict.wrong.length === 0 ? 'as it should be' : `WRONG: ${verdict.wrong[0]!.slice(0, 500)}`
          report(
            `${minutes()}: group of ${workers}, seed ${groupSeed}${idle ? ', idle' : ''}: ${state}; ${verdict.sourceRecords} records, ${verdict.counts['incidents'] ?? 0} incident records, ${verdict.counts['commands'] ?? 0} commands, ${verdict.repeated.length} repeated; ${tally.kills} kills so far`,
          )
        } catch (error) {
          const text = `group of ${workers}, seed ${groupSeed}: ${(error as Error).stack}`
          tally.failures.push(text)
          report(`${minutes()}: ${text}`)
        } finally {
          await group.remove()
        }
      }
    }
    await Promise.all(Array.from({ length: options.groups }, (_, index) => lane(index)))
  } finally {
    await storm?.stop().catch((error: Error) => report(`the weather broke down: ${error.message}`))
    await cluster.stop()
  }
  report(`${tally.kills} kills in ${minutes()}`)
  return tally
}
