/** Two kinds of traffic as the demo has them, as panes: services with a daily cycle, and a model. */
import { bucketOf } from '../../stream/contract/histogram.ts'
import type { LogHistogram, NumericFeature, Pane, RateFeature, RowSample } from '../../stream/contract/pane.ts'
import { Random } from './random.ts'

export const dayMs = 86_400_000
export const hourMs = 3_600_000
export const paneMs = 10_000
export const model = 'model:churn@1'
export const services = ['auth', 'catalog', 'gateway', 'order', 'payment'].map((name) => `service:${name}`)
export const modelFeatures = ['age', 'balance', 'score', 'tenure', 'usage']
const SAMPLE_ROWS = 64

/** What is different from quiet; absent: nothing. */
export interface Fault {
  readonly entity: string
  readonly fromMs: number
  readonly errorRate?: number
  readonly latencyFactor?: number
  readonly volumeFactor?: number
  /** Added to the model's `age`, in its standard deviations. */
  readonly shiftSd?: number
  /** The share of the model's channel `web` that becomes `app`. */
  readonly webLoss?: number
}

export interface TrafficOptions {
  readonly entity: string
  readonly seed: number
  readonly startMs: number
  readonly endMs: number
  readonly partitions?: number
  readonly fault?: Fault
  readonly rowsPerSecond?: number
  /** Relative amplitude of the daily cycle in volume. */
  readonly amplitude?: number
}

/** Parts of the panes of one entity, one slice of time after the other; slices without rows are there, and empty. */
export function* traffic(options: TrafficOptions): Generator<{ endMs: number; parts: Pane[] }> {
  const { entity, partitions = 1, fault, rowsPerSecond = 0.5, amplitude = 0.3 } = options
  const draw = new Random(options.seed * 7919 + entity.length * 131 + entity.charCodeAt(8))
  const isModel = entity.startsWith('model:')
  for (let startMs = options.startMs; startMs < options.endMs; startMs += paneMs) {
    const active = fault !== undefined && startMs >= fault.fromMs ? fault : undefined
    const cycle = 1 + amplitude * Math.sin((2 * Math.PI * startMs) / dayMs)
    const mean = ((rowsPerSecond * paneMs) / 1000) * cycle * (active?.volumeFactor ?? 1)
    const parts: Pane[] = []
    for (let partition = 0; partition < partitions; partition++) {
      const rowCount = draw.poisson(mean / partitions)
      if (rowCount === 0) continue
      const at = { entity, partition, startMs, rowCount }
      parts.push(isModel ? modelPane(draw, at, active) : servicePane(draw, at, active))
    }
    yield { endMs: startMs + paneMs, parts }
  }
}

interface PaneAt {
  readonly entity: string
  readonly partition: number
  readonly startMs: number
  readonly rowCount: number
}

function servicePane(draw: Random, at: PaneAt, fault: Fault | undefined): Pane {
  const durations: number[] = []
  const rows: RowSample['rows'] = []
  const error = { feature: 'error', hits: 0, trials: at.rowCount }
  const http = { feature: 'http_5xx', hits: 0, trials: at.rowCount }
  for (let row = 0; row < at.rowCount; row++) {
    const duration = 80 * (fault?.latencyFactor ?? 1) * Math.exp(0.4 * draw.normal())
    durations.push(duration)
    rows.push([draw.hash(), duration])
    if (draw.next() < (fault?.errorRate ?? 0.005)) {
      error.hits++
      if (draw.next() < 0.8) http.hits++
    }
  }
  const sample = sampleOf(['duration_ms'], [], rows)
  return pane(at, { numeric: [numeric('duration_ms', durations)], categorical: [], rates: [error, http], sample })
}

function modelPane(draw: Random, at: PaneAt, fault: Fault | undefined): Pane {
  const columns: number[][] = modelFeatures.map(() => [])
  const channels: string[] = []
  const rows: RowSample['rows'] = []
  for (let row = 0; row < at.rowCount; row++) {
    const [a, b, c, d] = [draw.normal(), draw.normal(), draw.normal(), draw.normal()]
    const values = [
      40 + 12 * (a + (fault?.shiftSd ?? 0)),
      1000 * Math.exp(0.8 * b),
      1 / (1 + Math.exp(0.5 - 0.7 * c)),
      Math.round(24 + 8 * c),
      d,
    ]
    for (const [column, value] of values.entries()) columns[column]!.push(value)
    const place = draw.next()
    const isWeb = place < 0.6 && draw.next() >= (fault?.webLoss ?? 0)
    const channel = isWeb ? 'web' : place < 0.9 ? 'app' : 'phone'
    channels.push(channel)
    rows.push([draw.hash(), ...values, channel])
  }
  const counts = ['app', 'phone', 'web'].flatMap((name): [string, number][] => {
    const count = channels.filter((channel) => channel === name).length
    return count > 0 ? [[name, count]] : []
  })
  return pane(at, {
    numeric: modelFeatures.map((feature, column) => numeric(feature, columns[column]!)),
    categorical: [{ feature: 'channel', count: at.rowCount, nulls: 0, counts, other: 0 }],
    rates: [],
    sample: sampleOf(modelFeatures, ['channel'], rows),
  })
}

function pane(at: PaneAt, content: Pick<Pane, 'numeric' | 'categorical' | 'sample'> & { rates: RateFeature[] }): Pane {
  const { entity, partition, startMs, rowCount } = at
  const isModel = entity.startsWith('model:')
  const slice = (startMs / paneMs).toString(16).padStart(16, '0')
  return {
    type: 'pane',
    id: `${slice}${partition.toString(16).padStart(8, '0')}${entity.length.toString(16).padStart(8, '0')}`,
    tenant: 'default',
    entity,
    kind: isModel ? 'model' : 'service',
    source: isModel ? 'predictions' : 'logs',
    partition,
    startMs,
    endMs: startMs + paneMs,
    count: rowCount,
    firstOffset: 0,
    lastOffset: rowCount,
    ...content,
  }
}

function numeric(feature: string, values: readonly number[]): NumericFeature {
  let mean = 0
  let m2 = 0
  for (const [index, value] of values.entries()) {
    const delta = value - mean
    mean += delta / (index + 1)
    m2 += delta * (value - mean)
  }
  const [min, max] = [Math.min(...values), Math.max(...values)]
  return { feature, count: values.length, nulls: 0, mean, m2, min, max, histogram: histogramOf(values) }
}

function histogramOf(values: readonly number[]): LogHistogram {
  const sideOf = (sign: number): [number, number][] => {
    const counts = new Map<number, number>()
    for (const value of values) {
      if (Math.sign(value) === sign) counts.set(bucketOf(value), (counts.get(bucketOf(value)) ?? 0) + 1)
    }
    return [...counts].sort((a, b) => a[0] - b[0])
  }
  return { zero: values.filter((value) => value === 0).length, positive: sideOf(1), negative: sideOf(-1) }
}

function sampleOf(numericNames: string[], categoricalNames: string[], rows: RowSample['rows']): RowSample {
  rows.sort((a, b) => (a[0] as number) - (b[0] as number))
  const threshold = (rows[SAMPLE_ROWS]?.[0] as number | undefined) ?? null
  return { numeric: numericNames, categorical: categoricalNames, rows: rows.slice(0, SAMPLE_ROWS), threshold }
}
