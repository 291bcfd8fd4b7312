/** Accuracy of models as gauges: what labels tell, what was estimated without them, and how far that was off. */
import { Gauge, type Registry } from 'prom-client'
import type { ModelQualityAnswer } from './model-quality.ts'

export class QualityGauges {
  readonly #accuracy: Gauge<'tenant' | 'entity'>
  readonly #maturity: Gauge<'tenant' | 'entity'>
  readonly #estimate: Gauge<'tenant' | 'entity'>
  readonly #error: Gauge<'tenant' | 'entity'>

  constructor(registry: Registry) {
    const gauge = (name: string, help: string) =>
      new Gauge({ name, help, labelNames: ['tenant', 'entity'] as const, registers: [registry] })
    this.#accuracy = gauge(
      'model_accuracy',
      'Share of the labelled predictions of the last day that are right, weighted by how much of a slot is labelled',
    )
    this.#maturity = gauge('model_label_maturity', 'Share of the predictions of the last day that have labels')
    this.#estimate = gauge(
      'model_accuracy_estimate',
      'Accuracy of the last day estimated from calibrated confidences: blind to concept drift; absent where its calibration is not checked',
    )
    this.#error = gauge(
      'model_accuracy_estimate_error',
      'model_accuracy_estimate less model_accuracy, once labels are there',
    )
  }

  set(models: readonly ModelQualityAnswer[]): void {
    for (const gauge of [this.#accuracy, this.#maturity, this.#estimate, this.#error]) gauge.reset()
    for (const { tenant, entity, labels, estimate } of models) {
      if (labels.accuracy !== null) this.#accuracy.set({ tenant, entity }, labels.accuracy)
      if (labels.maturity !== null) this.#maturity.set({ tenant, entity }, labels.maturity)
      if (estimate === null) continue
      this.#estimate.set({ tenant, entity }, estimate.accuracy)
      if (estimate.error !== null) this.#error.set({ tenant, entity }, estimate.error)
    }
  }
}
