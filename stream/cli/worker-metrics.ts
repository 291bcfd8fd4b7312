/** Carries what the running tasks know of themselves into the metrics, once a second. */
import type { KafkaPipeline } from '../io/kafka/pipeline.ts'
import type { Telemetry } from '../telemetry.ts'
import type { JudgingStage } from '../topology.ts'

const outcomes = ['accepted', 'rejected', 'late', 'skewed'] as const

interface Told {
  readonly read: number
  readonly counts: Readonly<Record<(typeof outcomes)[number], number>>
  readonly overflow: Readonly<{ rows: number; values: number }>
  readonly lateRows: number
}

const nothing: Told = {
  read: 0,
  counts: { accepted: 0, rejected: 0, late: 0, skewed: 0 },
  overflow: { rows: 0, values: 0 },
  lateRows: 0,
}

/** Counts of a task object that were told already; a recovered task counts anew. */
const told = new WeakMap<object, Told>()
const toldLeftOut = new WeakMap<object, ReadonlyMap<string, number>>()

export function sampleMetrics(pipeline: Pick<KafkaPipeline, 'ingest' | 'judging'>, telemetry: Telemetry): void {
  for (const [key, { runner }] of pipeline.ingest()) {
    const source = runner.context.writer.split('/')[1]!
    const partition = Number(key.slice(key.lastIndexOf('/') + 1))
    const { counts, read, held, openPanes, overflow = nothing.overflow, lateRows = 0, watermarkMs } = runner.task
    const before = told.get(runner) ?? nothing
    for (const outcome of outcomes) {
      telemetry.positions({ source, outcome, count: counts[outcome] - before.counts[outcome] })
    }
    telemetry.positionsRead({ source, count: read - before.read })
    const { rows, values } = before.overflow
    telemetry.overflowed({ source, rows: overflow.rows - rows, values: overflow.values - values })
    telemetry.lateRows({ source, rows: lateRows - before.lateRows })
    told.set(runner, { read, counts: { ...counts }, overflow: { ...overflow }, lateRows })
    const task = `${source}/${partition}`
    telemetry.sourceTask({ source, partition, panes: openPanes, held })
    telemetry.watermark({ stage: 'ingest', task, watermarkMs })
    telemetry.outbox({ stage: 'ingest', task, records: runner.pendingCount })
  }
  for (const [name, { runner, unstored, isWaiting, checkpointAgeMs }] of pipeline.judging()) {
    const [stage, task] = name.split('/') as [JudgingStage, string]
    telemetry.watermark({ stage, task, watermarkMs: runner.task.watermarkMs })
    telemetry.outbox({ stage, task, records: runner.pendingCount })
    telemetry.unstored({ task: name, records: unstored, isWaiting, checkpointAgeMs })
    const { following, joined } = runner.task
    if (joined !== undefined) telemetry.joined({ task: name, ...joined })
    if (following === undefined) continue
    telemetry.following({ task: name, entities: following.entities })
    const toldOf = toldLeftOut.get(runner) ?? new Map<string, number>()
    for (const [source, parts] of following.leftOut) {
      telemetry.leftOut({ source, parts: parts - (toldOf.get(source) ?? 0) })
    }
    toldLeftOut.set(runner, new Map(following.leftOut))
  }
}
