/** A learned reference as it is told, once, on `measurements`. */
import type { LearnedReference, ReferenceFeature } from '../contract/reference.ts'
import type { EntityName } from './entity.ts'
import type { FeatureReference, Reference } from './reference.ts'

export function referenceRecord(
  { source, tenant, entity, kind }: EntityName,
  reference: Pick<Reference, 'id' | 'fromMs' | 'toMs' | 'features'>,
): LearnedReference {
  const { id, fromMs, toMs, features } = reference
  const name = { tenant, entity, kind, source }
  return {
    type: 'reference',
    id,
    reference: id,
    ...name,
    fromMs,
    toMs,
    features: features.map((each) => featureOf(each, fromMs)),
  }
}

function featureOf({ feature, type, standard, season, shape }: FeatureReference, fromMs: number): ReferenceFeature {
  const { slides = 0, rows = 0, effectiveRows = 0, bins = null } = shape ?? {}
  return {
    feature,
    kind: type,
    ...{ slides, rows, effectiveRows: Math.round(effectiveRows * 10) / 10 },
    ...(shape !== undefined && shape.fromMs !== fromMs && { fromMs: shape.fromMs }),
    ...(season !== undefined && { season: { timeZone: season.timeZone, units: season.units } }),
    ...(bins !== null && { bins }),
    ...(standard !== null && {
      standard: {
        mean: standard.mean,
        standardDeviation: standard.sd,
        autocorrelation: standard.autocorrelation,
        levelShare: standard.levelShare,
      },
    }),
  }
}
