/** The heatmap of the read model in memory: what SQL sums up elsewhere. */
import type { HeatmapCell } from './contract/api.ts'
import { compareCodeUnits } from './contract/encoding.ts'
import type { Measurement } from './contract/finding.ts'
import { statusRank, type VerdictStatus } from './contract/verdict.ts'
import { type FeatureSummary, featureSummary, type Heatmap, type HeatmapQuery, heatmapOf } from './read-model.ts'

interface Sums {
  readonly entity: string
  readonly source: string
  readonly feature: string
  readonly startMs: number
  evaluations: number
  rowCount: number
  status: VerdictStatus
  score: number
  driftScore: number | null
  /** Of slides with rows: Σ mean·rows, and Σ rows. */
  weighted: { total: number; rows: number } | null
  min: number | null
  max: number | null
  p95: number | null
  hits: number | null
  trials: number | null
}

/** O(measurements kept), as memory has no index. */
export function memoryHeatmap(measurements: Iterable<Measurement>, query: HeatmapQuery): Heatmap {
  const { tenant, entity, feature, fromMs, toMs, stepMs, cellsMax } = query
  const all = new Map<string, Sums>()
  for (const body of measurements) {
    if (body.tenant !== tenant || (entity !== undefined && body.entity !== entity)) continue
    if (body.evaluationMs < fromMs || body.evaluationMs >= toMs) continue
    const startMs = Math.floor(body.evaluationMs / stepMs) * stepMs
    for (const one of body.features) {
      if (feature !== undefined && one.feature !== feature) continue
      const key = JSON.stringify([body.entity, body.source, one.feature, startMs])
      const place = { entity: body.entity, source: body.source, feature: one.feature, startMs }
      const sums = all.get(key) ?? emptySums(place)
      all.set(key, sums)
      add(sums, featureSummary(body, one))
    }
  }
  const sorted = [...all.values()].sort(
    (a, b) =>
      compareCodeUnits(a.entity, b.entity) ||
      compareCodeUnits(a.source, b.source) ||
      compareCodeUnits(a.feature, b.feature) ||
      a.startMs - b.startMs,
  )
  return heatmapOf(sorted.map(placed), cellsMax)
}

function emptySums(place: Pick<Sums, 'entity' | 'source' | 'feature' | 'startMs'>): Sums {
  return {
    ...place,
    evaluations: 0,
    rowCount: 0,
    status: 'insufficient',
    score: 0,
    driftScore: null,
    weighted: null,
    min: null,
    max: null,
    p95: null,
    hits: null,
    trials: null,
  }
}

function add(sums: Sums, one: FeatureSummary): void {
  sums.evaluations++
  sums.rowCount += one.rowCount
  if (statusRank[one.status] > statusRank[sums.status]) sums.status = one.status
  sums.score = Math.max(sums.score, one.score)
  if (one.driftScore !== null) sums.driftScore = Math.max(sums.driftScore ?? 0, one.driftScore)
  if (one.rate !== null) {
    sums.hits = (sums.hits ?? 0) + one.rate.hits
    sums.trials = (sums.trials ?? 0) + one.rate.trials
  }
  if (one.numeric === null || one.rowCount === 0) return
  const { mean, min, max, p95 } = one.numeric
  const { total, rows } = sums.weighted ?? { total: 0, rows: 0 }
  sums.weighted = { total: total + mean * one.rowCount, rows: rows + one.rowCount }
  sums.min = Math.min(sums.min ?? min, min)
  sums.max = Math.max(sums.max ?? max, max)
  sums.p95 = Math.max(sums.p95 ?? p95, p95)
}

function placed({ entity, source, feature, weighted, ...rest }: Sums) {
  const cell: HeatmapCell = { ...rest, mean: weighted === null ? null : weighted.total / weighted.rows }
  return { entity, source, feature, cell }
}
