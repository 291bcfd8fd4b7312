import type { Measurement } from '../contract/finding.ts'

/**
 * Which share of evaluations abstained. One evaluation is one verdict of one detector over one feature at one slide's end:
 * every verdict of every measurement counts once, whichever vote it is heard in.
 *
 * @param between evaluations after `fromMs` and at or before `toMs`; all where absent
 * @returns null when there are none
 */
export function insufficientShare(
  measurements: Iterable<Pick<Measurement, 'evaluationMs' | 'features'>>,
  between: { fromMs: number; toMs: number } = { fromMs: -Infinity, toMs: Infinity },
): number | null {
  let evaluations = 0
  let insufficient = 0
  for (const { evaluationMs, features } of measurements) {
    if (evaluationMs <= between.fromMs || evaluationMs > between.toMs) continue
    for (const { verdicts } of features) {
      evaluations += verdicts.length
      insufficient += verdicts.filter(({ status }) => status === 'insufficient').length
    }
  }
  return evaluations === 0 ? null : insufficient / evaluations
}
