import type { Gauge } from 'prom-client'

/** What stands for all that is beyond a bound of labels. */
export const other = '(other)'

export interface DriftLabels {
  readonly tenant: string
  readonly entity: string
  readonly feature: string
  readonly vote: string
}

/** `model_drift_score` with a bound: what is beyond it shows as the largest score of the newest evaluation. */
export class DriftSeries {
  private readonly gauge: Gauge<keyof DriftLabels>
  private readonly seriesMax: number
  private readonly byEntity = new Map<string, Map<string, DriftLabels>>()
  private readonly overflow = new Map<string, { evaluationMs: number; score: number }>()
  private size = 0

  constructor(gauge: Gauge<keyof DriftLabels>, seriesMax: number) {
    this.gauge = gauge
    this.seriesMax = seriesMax
  }

  set(labels: DriftLabels, score: number, evaluationMs: number): void {
    const entityKey = JSON.stringify([labels.tenant, labels.entity])
    const series = this.byEntity.get(entityKey)
    const seriesKey = JSON.stringify([labels.feature, labels.vote])
    if (series?.has(seriesKey) !== true) {
      if (this.size >= this.seriesMax) {
        this.setOther(labels, score, evaluationMs)
        return
      }
      this.size++
      if (series === undefined) this.byEntity.set(entityKey, new Map([[seriesKey, labels]]))
      else series.set(seriesKey, labels)
    }
    this.gauge.set(labels, score)
  }

  /** Makes room: an entity that is gone needs no series. */
  forget(tenant: string, entity: string): void {
    const entityKey = JSON.stringify([tenant, entity])
    for (const labels of this.byEntity.get(entityKey)?.values() ?? []) {
      this.gauge.remove(labels)
      this.size--
    }
    this.byEntity.delete(entityKey)
  }

  private setOther(labels: DriftLabels, score: number, evaluationMs: number): void {
    // the names of votes are few: they come from the configuration
    const key = JSON.stringify([labels.tenant, labels.vote])
    const known = this.overflow.get(key)
    if (
      known !== undefined &&
      (evaluationMs < known.evaluationMs || (evaluationMs === known.evaluationMs && score <= known.score))
    ) {
      return
    }
    this.overflow.set(key, { evaluationMs, score })
    this.gauge.set({ tenant: labels.tenant, entity: other, feature: other, vote: labels.vote }, score)
  }
}
