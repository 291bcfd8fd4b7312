/** The heatmap on the narrow table of features. */
import type { HeatmapCell } from '../../contract/api.ts'
import { type Heatmap, type HeatmapQuery, heatmapOf } from '../../read-model.ts'
import { type Pool, withClient } from './pool.ts'
import { cleanedText, timestamp } from './tables/rows.ts'

interface CellColumns {
  readonly entity: string
  readonly source: string
  readonly feature: string
  readonly start_ms: number
  readonly evaluations: number
  readonly row_count: number
  readonly status: HeatmapCell['status']
  readonly score: number
  readonly drift_score: number | null
  readonly mean: number | null
  readonly min: number | null
  readonly max: number | null
  readonly p95: number | null
  readonly hits: number | null
  readonly trials: number | null
}

/** @param schema checked and quoted */
export async function postgresHeatmap(pool: Pool, schema: string, query: HeatmapQuery): Promise<Heatmap> {
  const { tenant, entity, feature, fromMs, toMs, stepMs, cellsMax } = query
  const { rows } = await withClient(pool, 'reading a heatmap for the API', (client) =>
    client.query<CellColumns>(
      `select entity, source, feature,
         (floor(extract(epoch from time) * 1000 / $6::bigint) * $6::bigint)::bigint as start_ms,
         count(*) as evaluations, sum(row_count)::bigint as row_count,
         (array['insufficient', 'stable', 'warning', 'drift'])[
           max(array_position(array['insufficient', 'stable', 'warning', 'drift'], status::text))] as status,
         max(score) as score, max(drift_score) as drift_score,
         sum(mean * row_count) filter (where row_count > 0) / sum(row_count) filter (where row_count > 0 and mean is not null) as mean,
         min(min) filter (where row_count > 0) as min, max(max) filter (where row_count > 0) as max,
         max(p95) filter (where row_count > 0) as p95, sum(hits)::bigint as hits, sum(trials)::bigint as trials
       from ${schema}.measurement_features
       where tenant = $1 and ($2::text is null or entity = $2) and ($3::text is null or feature = $3)
         and time >= $4::timestamptz and time < $5::timestamptz
       group by entity, source, feature, start_ms order by entity, source, feature, start_ms limit $7`,
      [
        cleanedText(tenant),
        entity === undefined ? null : cleanedText(entity),
        feature === undefined ? null : cleanedText(feature),
        timestamp(fromMs),
        timestamp(toMs),
        stepMs,
        cellsMax + 1,
      ],
    ),
  )
  const cells = rows.map(({ entity, source, feature, ...sums }) => ({ entity, source, feature, cell: cellOf(sums) }))
  return heatmapOf(cells, cellsMax)
}

function cellOf(sums: Omit<CellColumns, 'entity' | 'source' | 'feature'>): HeatmapCell {
  const { start_ms, row_count, drift_score, ...rest } = sums
  return { ...rest, startMs: start_ms, rowCount: row_count, driftScore: drift_score }
}
