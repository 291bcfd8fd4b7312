/**
 * Switches of configurations as the log of a live run holds them: what they were, and how a replay begins that applies
 * them. Each task of detect and respond has its own, at its own event time.
 */
import { compareCodeUnits, decodeJson } from '../contract/encoding.ts'
import { type ConfigurationSwitch, configurationSwitch } from '../contract/pane.ts'
import type { LogRecord } from '../contract/stage.ts'
import { SentinelError } from '../errors.ts'
import type { KnownConfigurations, Pipeline } from './tasks.ts'

type Stage = 'detect' | 'respond'

/** A switch that a task took; the record as it stood on the task's log. */
export interface RecordedSwitch {
  readonly topic: 'panes' | 'casefile'
  readonly partition: number
  readonly record: LogRecord
}

/** One change of a stage's configuration, over all its tasks. */
export interface ConfigurationChange {
  readonly stage: Stage
  readonly previousDigest: string
  readonly digest: string
  /** Event times (ms) at which the first and the last task went over. */
  readonly firstMs: number
  readonly lastMs: number
}

function readSwitch({ value }: LogRecord): ConfigurationSwitch | null {
  try {
    return configurationSwitch.safeParse(decodeJson(value!)).data ?? null
  } catch {
    return null // somebody else's
  }
}

/** The switches of each task that follow from each other: one that was said again counts once. */
function chains(switches: readonly RecordedSwitch[]): Map<string, ConfigurationSwitch[]> {
  const found = new Map<string, ConfigurationSwitch[]>()
  for (const { topic, partition, record } of switches) {
    const stage: Stage = topic === 'panes' ? 'detect' : 'respond'
    const data = readSwitch(record)
    if (data?.stage !== stage) continue
    const chain = found.get(`${stage}/${partition}`) ?? []
    const last = chain.at(-1)
    if (last !== undefined && (data.previousDigest !== last.digest || data.digest === last.digest)) continue
    found.set(`${stage}/${partition}`, [...chain, data])
  }
  return found
}

/** In the order of time. A stage's n-th change is the n-th of each of its tasks. */
export function changesOf(switches: readonly RecordedSwitch[]): ConfigurationChange[] {
  const found = new Map<string, ConfigurationChange>()
  for (const chain of chains(switches).values()) {
    for (const [index, { stage, previousDigest, digest, atMs }] of chain.entries()) {
      const key = `${stage} ${index} ${previousDigest} ${digest}`
      const known = found.get(key)
      const firstMs = Math.min(atMs, known?.firstMs ?? atMs)
      const lastMs = Math.max(atMs, known?.lastMs ?? atMs)
      found.set(key, { stage: stage as Stage, previousDigest, digest, firstMs, lastMs })
    }
  }
  return [...found.values()].sort((a, b) => a.firstMs - b.firstMs || compareCodeUnits(a.stage, b.stage))
}

/** What a replay as recorded runs under. */
export interface AsRecorded {
  readonly pipeline: Pipeline
  readonly known: KnownConfigurations
  /** Why some of it is not comparable with the live run, a sentence each. */
  readonly gaps: readonly string[]
}

/**
 * The pipeline under which the live run began, and every configuration that it went over to.
 *
 * @param pipeline the configuration in force; a stage that never changed began under it
 * @throws NOT_FOUND for a configuration that is not known
 */
export function asRecorded(
  pipeline: Pipeline,
  of: { switches: readonly RecordedSwitch[]; known: KnownConfigurations; partitions: Readonly<Record<Stage, number>> },
): AsRecorded {
  const { switches, partitions } = of
  const known = {
    detect: new Map([...(of.known.detect ?? []), [pipeline.digests.detect, pipeline.detect] as const]),
    respond: new Map([...(of.known.respond ?? []), [pipeline.digests.respond, pipeline.respond] as const]),
  }
  for (const change of changesOf(switches)) requireKnown(change, known)
  const gaps: string[] = []
  const first = (stage: Stage): string => {
    const beginnings = [...chains(switches)].filter(([task]) => task.startsWith(`${stage}/`))
    const digests = beginnings.map(([, [begin]]) => begin!.previousDigest)
    const [digest] = digests
    if (digest === undefined) return pipeline.digests[stage]
    const others = beginnings.filter(([, [begin]]) => begin!.previousDigest !== digest).map(([task]) => task)
    if (others.length > 0) gaps.push(`${others.join(', ')} began under another configuration than ${digest}`)
    const silent = partitions[stage] - beginnings.length
    if (silent > 0) gaps.push(`${silent} tasks of ${stage} have recorded no switch, others have`)
    return digest
  }
  const [detect, respond] = [first('detect'), first('respond')]
  return {
    pipeline: {
      ...pipeline,
      detect: known.detect.get(detect)!,
      respond: known.respond.get(respond)!,
      digests: { ...pipeline.digests, detect, respond },
    },
    known,
    gaps,
  }
}

function requireKnown(
  { stage, previousDigest, digest, firstMs }: ConfigurationChange,
  known: Required<KnownConfigurations>,
): void {
  for (const one of [previousDigest, digest]) {
    if (known[stage].has(one)) continue
    throw new SentinelError(
      'NOT_FOUND',
      `The switch of ${stage} from ${previousDigest} to ${digest} at ${new Date(firstMs).toISOString()} names a ` +
        `configuration whose body is not stored, or cannot be read by this version: ${one}. ` +
        'Look whether database.schema and DATABASE_URL are those of the live run, or replay without --as-recorded.',
    )
  }
}
