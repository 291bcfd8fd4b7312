import type { FeatureMeasurement, Measurement, RollUp, Vote } from '../../../contract/finding.ts'
import type { LearnedReference } from '../../../contract/reference.ts'
import { statusRank } from '../../../contract/verdict.ts'
import { summaryOf } from '../../../read-model.ts'
import { bestByKey, type Column, insertRows, type Row, type Table, timestamp } from './rows.ts'

type MeasurementRow = Row<'measurements'> & { readonly body: Measurement }
type ReferenceRow = Row<'measurements'> & { readonly body: LearnedReference }

interface FeatureRow {
  readonly body: Measurement
  readonly feature: FeatureMeasurement
  readonly worst: Vote | undefined
  readonly driftScore: number | null
}

/**
 * `measurements`, the narrow `measurement_features` beside it, and the newest evaluation in `entities`; learned
 * references, which come on the same topic, in `learned_references`.
 */
export const measurementsTable: Table<'measurements'> = {
  topic: 'measurements',
  async insert(client, schema, all) {
    const rows = all.filter((row): row is MeasurementRow => row.body.type === 'measurement')
    const references = all.filter((row): row is ReferenceRow => row.body.type === 'reference')
    await insertRows(client, { schema, table: 'learned_references', columns: referenceColumns }, references)
    await insertRows(client, { schema, table: 'measurements', columns }, rows)
    const features = rows.flatMap(({ body }) => featureRows(body))
    await insertRows(client, { schema, table: 'measurement_features', columns: featureColumns }, features)
    const newest = bestByKey(
      rows,
      ({ body }) => JSON.stringify([body.tenant, body.entity, body.source]),
      ({ body }, than) => body.evaluationMs >= than.body.evaluationMs,
    )
    await insertRows(client, { schema, table: 'entities', columns: entityColumns, conflict: replaceOlder }, newest)
  },
}

const referenceColumns: readonly Column<ReferenceRow>[] = [
  ['id', 'text', ({ body }) => body.id],
  ['reference_id', 'text', ({ body }) => body.reference],
  ['time', 'timestamptz', ({ body }) => timestamp(body.toMs)],
  ['tenant', 'text', ({ body }) => body.tenant],
  ['entity', 'text', ({ body }) => body.entity],
  ['kind', 'text', ({ body }) => body.kind],
  ['source', 'text', ({ body }) => body.source],
  ['learned_from', 'timestamptz', ({ body }) => timestamp(body.fromMs)],
  ['record', 'json', ({ text }) => text],
]

const columns: readonly Column<MeasurementRow>[] = [
  ['id', 'text', ({ body }) => body.id],
  ['time', 'timestamptz', ({ body }) => timestamp(body.evaluationMs)],
  ['tenant', 'text', ({ body }) => body.tenant],
  ['entity', 'text', ({ body }) => body.entity],
  ['kind', 'text', ({ body }) => body.kind],
  ['source', 'text', ({ body }) => body.source],
  ['window_start', 'timestamptz', ({ body }) => timestamp(body.windowStartMs)],
  ['row_count', 'bigint', ({ body }) => body.count],
  ['status', 'text', ({ body }) => summaryOf(body).status],
  ['record', 'json', ({ text }) => text],
]

const entityColumns: readonly Column<MeasurementRow>[] = [
  ['tenant', 'text', ({ body }) => body.tenant],
  ['entity', 'text', ({ body }) => body.entity],
  ['source', 'text', ({ body }) => body.source],
  ['kind', 'text', ({ body }) => body.kind],
  ['time', 'timestamptz', ({ body }) => timestamp(body.evaluationMs)],
  ['status', 'text', ({ body }) => summaryOf(body).status],
  ['score', 'float8', ({ body }) => summaryOf(body).score],
  ['measurement_id', 'text', ({ body }) => body.id],
]

const replaceOlder = `(tenant, entity, source) do update set kind = excluded.kind, time = excluded.time,
  status = excluded.status, score = excluded.score, measurement_id = excluded.measurement_id, stored_at = excluded.stored_at
  where old.time <= excluded.time`

function featureRows(body: Measurement): FeatureRow[] {
  return body.features.map((feature) => {
    const votes = body.votes.filter((vote) => vote.feature === feature.feature)
    const drift = votes.filter((vote) => vote.problem === 'drift').map((vote) => vote.score)
    return { body, feature, worst: worstOf(votes), driftScore: drift.length === 0 ? null : Math.max(...drift) }
  })
}

function worstOf(votes: readonly Vote[]): Vote | undefined {
  let worst: Vote | undefined
  for (const vote of votes) {
    const rank = statusRank[vote.status]
    const known = worst === undefined ? -1 : statusRank[worst.status]
    if (rank > known || (rank === known && vote.score > worst!.score)) worst = vote
  }
  return worst
}

const numeric =
  (read: (rollUp: Extract<RollUp, { kind: 'numeric' }>) => number) =>
  ({ feature }: FeatureRow): number | null =>
    feature.latest.kind === 'numeric' ? read(feature.latest) : null

const rate =
  (read: (rollUp: Extract<RollUp, { kind: 'rate' }>) => number) =>
  ({ feature }: FeatureRow): number | null =>
    feature.latest.kind === 'rate' ? read(feature.latest) : null

const featureColumns: readonly Column<FeatureRow>[] = [
  ['measurement_id', 'text', ({ body }) => body.id],
  ['time', 'timestamptz', ({ body }) => timestamp(body.evaluationMs)],
  ['tenant', 'text', ({ body }) => body.tenant],
  ['entity', 'text', ({ body }) => body.entity],
  ['kind', 'text', ({ body }) => body.kind],
  ['source', 'text', ({ body }) => body.source],
  ['feature', 'text', ({ feature }) => feature.feature],
  ['vote', 'text', ({ worst }) => worst?.vote ?? null],
  ['problem', 'text', ({ worst }) => worst?.problem ?? null],
  ['status', 'text', ({ worst }) => worst?.status ?? 'insufficient'],
  ['score', 'float8', ({ worst, feature }) => worst?.score ?? Math.max(0, ...feature.verdicts.map((it) => it.score))],
  ['drift_score', 'float8', ({ driftScore }) => driftScore],
  ['row_count', 'bigint', ({ feature: { latest } }) => (latest.kind === 'rate' ? latest.trials : latest.count)],
  ['null_count', 'bigint', ({ feature: { latest } }) => ('nulls' in latest ? latest.nulls : null)],
  ['mean', 'float8', numeric(({ mean }) => mean)],
  ['standard_deviation', 'float8', numeric(({ standardDeviation }) => standardDeviation)],
  ['min', 'float8', numeric(({ min }) => min)],
  ['max', 'float8', numeric(({ max }) => max)],
  ['p50', 'float8', numeric(({ p50 }) => p50)],
  ['p95', 'float8', numeric(({ p95 }) => p95)],
  ['p99', 'float8', numeric(({ p99 }) => p99)],
  ['hits', 'bigint', rate(({ hits }) => hits)],
  ['trials', 'bigint', rate(({ trials }) => trials)],
]
