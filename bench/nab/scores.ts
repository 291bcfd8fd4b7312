/** From what was measured to what a scorer reads: a row has the statistic of the pane that it was folded into. */

import type { Finding } from '../../stream/contract/finding.ts'
import { rangeNovelty } from '../../stream/detect/detectors/range-novelty.ts'
import type { MeasuredPane } from './judge.ts'
import type { SeriesRow } from './series.ts'

/** Statistics by the end of their pane. */
export type PaneScores = ReadonlyMap<number, number>

/** Whether a vote became an alarm with this finding: one that only recovers or escalates opens nothing. */
export function opens(finding: Pick<Finding, 'votes'>): boolean {
  return finding.votes.some((vote) => vote.changed && vote.status === 'drift' && vote.previous !== 'drift')
}

/** What a detector said of each pane; 0 while it abstained. */
export function statisticsOf(panes: readonly MeasuredPane[], detector: string): PaneScores {
  const scores = new Map<number, number>()
  for (const { endMs, verdicts } of panes) {
    const verdict = verdicts.find((each) => each.detector === detector)
    if (verdict !== undefined) scores.set(endMs, verdict.statistic)
  }
  return scores
}

/** The least that can be done: how far the same panes' values lie outside of all before them, as a share of the range. */
export function newExtremes(panes: readonly MeasuredPane[]): PaneScores {
  const config = rangeNovelty.config.parse({ summaries: ['value'], quietValues: 0, gain: 1, decay: 0 })
  const state = rangeNovelty.initial()
  return new Map(
    panes.map(({ endMs, mean: value }) => [endMs, rangeNovelty.update(state, { endMs, value }, config).statistic]),
  )
}

/**
 * @param paneMs length of the source's panes
 * @returns `timestamp,anomaly_score`, a line for each row of the series, in the same order; the rows whose pane nobody
 *   judged have 0 and are counted
 */
export function scoreRows(
  rows: readonly SeriesRow[],
  scores: PaneScores,
  paneMs: number,
): { readonly csv: string; readonly unjudged: number } {
  let unjudged = 0
  const lines = rows.map(({ timestamp, timeMs }) => {
    const score = scores.get((Math.floor(timeMs / paneMs) + 1) * paneMs)
    if (score === undefined) unjudged++
    return `${timestamp},${score ?? 0}`
  })
  return { csv: `${['timestamp,anomaly_score', ...lines].join('\n')}\n`, unjudged }
}
