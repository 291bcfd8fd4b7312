import { describe, expect, it } from 'vitest'
import { sampleMetrics } from '../../stream/cli/worker-metrics.ts'
import { createTelemetry } from '../../stream/telemetry.ts'

type Pipeline = Parameters<typeof sampleMetrics>[0]

function ingestRunner(counts: { accepted: number; rejected: number; late: number; skewed: number }, held: number) {
  const task = {
    counts,
    held,
    read: counts.accepted + counts.rejected + counts.late + counts.skewed + held,
    openPanes: 3,
    overflow: { rows: 2, values: 1 },
    lateRows: 3,
    watermarkMs: 5_000,
  }
  return { runner: { context: { writer: 'ingest/logs/1' }, task, pendingCount: 7 } }
}

const leftOut = new Map([['logs', 5]])
const detectTask = { watermarkMs: 9_000, following: { entities: 17, leftOut } }
const judging = {
  runner: { task: detectTask, pendingCount: 0 },
  unstored: 11,
  isWaiting: true,
  checkpointAgeMs: 6_000,
}

function pipelineOf(ingest: object): Pipeline {
  return {
    ingest: () => new Map([['mine/1', ingest]]),
    judging: () => new Map([['detect/2', judging]]),
  } as unknown as Pipeline
}

describe('the metrics of running tasks', () => {
  it('say of each position read what became of it, also over a recovery', async () => {
    const telemetry = createTelemetry({ log: 'silent', write: () => {}, processMetrics: false, now: () => 10_000 })
    const value = async (series: string): Promise<number> => {
      const line = (await telemetry.metricsText()).split('\n').find((text) => text.startsWith(`${series} `))
      return Number(line?.slice(series.length + 1))
    }
    const first = ingestRunner({ accepted: 10, rejected: 2, late: 3, skewed: 1 }, 4)
    sampleMetrics(pipelineOf(first), telemetry)
    sampleMetrics(pipelineOf(first), telemetry)
    first.runner.task.counts.accepted += 5
    first.runner.task.read += 5
    sampleMetrics(pipelineOf(first), telemetry)
    // a recovered task counts anew
    sampleMetrics(pipelineOf(ingestRunner({ accepted: 1, rejected: 0, late: 0, skewed: 0 }, 4)), telemetry)
    const outcomes = ['accepted', 'rejected', 'late', 'skewed'] as const
    const counted = await Promise.all(
      outcomes.map((outcome) => value(`sentinel_ingest_positions_total{source="logs",outcome="${outcome}"}`)),
    )
    expect(counted).toEqual([16, 2, 3, 1])
    const at = 'source="logs",partition="1"'
    expect(await value(`sentinel_ingest_held_records{${at}}`)).toBe(4)
    expect(await value('sentinel_ingest_positions_read_total{source="logs"}')).toBe(25 + 5)
    expect(await value(`sentinel_open_panes{${at}}`)).toBe(3)
    expect(await value('sentinel_ingest_overflow_total{source="logs",what="rows"}')).toBe(4)
    expect(await value('sentinel_ingest_late_rows_total{source="logs"}')).toBe(6)
    expect(await value('sentinel_outbox_records{stage="ingest",task="logs/1"}')).toBe(7)
    expect(await value('sentinel_watermark_delay_seconds{stage="ingest",task="logs/1"}')).toBe(5)
    expect(await value('sentinel_watermark_delay_seconds{stage="detect",task="2"}')).toBe(1)
    expect(await value('sentinel_checkpoint_unstored_records{task="detect/2"}')).toBe(11)
    expect(await value('sentinel_back_pressure{task="detect/2"}')).toBe(1)
    expect(await value('sentinel_checkpoint_age_seconds{task="detect/2"}')).toBe(6)
    expect(await value('sentinel_entities{task="detect/2"}')).toBe(17)
    expect(await value('sentinel_detect_left_out_total{source="logs"}')).toBe(5)
    leftOut.set('logs', 8)
    sampleMetrics(pipelineOf(first), telemetry)
    expect(await value('sentinel_detect_left_out_total{source="logs"}')).toBe(8)
    telemetry.taskLost({ task: 'detect/2' })
    telemetry.sourceTaskLost({ source: 'logs', partition: 1 })
    const left = await telemetry.metricsText()
    for (const gone of [
      'sentinel_back_pressure{',
      'sentinel_entities{',
      'sentinel_watermark_delay_seconds{',
      'sentinel_open_panes{',
    ]) {
      expect(left).not.toContain(gone)
    }
  })
})
