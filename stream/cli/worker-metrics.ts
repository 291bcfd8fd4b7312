/** Carries what the running tasks know of themselves into the metrics, once a second. */
import type { KafkaPipeline } from '../io/kafka/pipeline.ts'
import type { Telemetry } from '../telemetry.ts'

const outcomes = ['accepted', 'rejected', 'late', 'skewed'] as const

/** Counts of a task object that were told already; a recovered task counts anew. */
const told = new WeakMap<object, Record<(typeof outcomes)[number], number>>()

export function sampleMetrics(pipeline: KafkaPipeline, telemetry: Telemetry): void {
  for (const [key, { runner }] of pipeline.ingest()) {
    const source = runner.context.writer.split('/')[1]!
    const partition = Number(key.slice(key.lastIndexOf('/') + 1))
    const { counts, openPanes, watermarkMs } = runner.task
    const before = told.get(runner) ?? { accepted: 0, rejected: 0, late: 0, skewed: 0 }
    for (const outcome of outcomes) {
      telemetry.positions({ source, outcome, count: counts[outcome] - before[outcome] })
    }
    told.set(runner, { ...counts })
    telemetry.openPanes({ source, partition, panes: openPanes })
    telemetry.watermark({ stage: 'ingest', task: `${source}/${partition}`, watermarkMs })
  }
  for (const [name, { runner }] of pipeline.judging()) {
    const [stage, task] = name.split('/') as ['detect' | 'respond', string]
    telemetry.watermark({ stage, task, watermarkMs: runner.task.watermarkMs })
  }
}
