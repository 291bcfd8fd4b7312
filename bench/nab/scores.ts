/** From findings to what a scorer reads: a row scores 1 where its pane opens a finding. */
import type { Finding } from '../../stream/contract/finding.ts'
import type { SeriesRow } from './series.ts'

export interface Scores {
  /** `timestamp,anomaly_score`, a line for each row of the series, in the same order. */
  readonly csv: string
  readonly alarms: number
  /** Findings that opened in a pane without a row: nothing scores for them. */
  readonly unplaced: number
}

/** Whether a vote became an alarm with this finding: one that only recovers or escalates opens nothing. */
export function opens(finding: Pick<Finding, 'votes'>): boolean {
  return finding.votes.some((vote) => vote.changed && vote.status === 'drift' && vote.previous !== 'drift')
}

/**
 * @param findings those of this series alone, in any order; `timeMs` is the end of the pane that opened it
 * @param paneMs   length of the source's panes
 */
export function scoreRows(
  rows: readonly SeriesRow[],
  findings: readonly Pick<Finding, 'timeMs' | 'votes'>[],
  paneMs: number,
): Scores {
  const opened = new Set(findings.filter(opens).map((finding) => finding.timeMs - paneMs))
  const placed = new Set<number>()
  let alarms = 0
  const lines = rows.map(({ timestamp, timeMs }) => {
    const paneStartMs = Math.floor(timeMs / paneMs) * paneMs
    const isAlarm = opened.has(paneStartMs)
    if (isAlarm) {
      placed.add(paneStartMs)
      alarms++
    }
    return `${timestamp},${isAlarm ? 1 : 0}`
  })
  return { csv: `${['timestamp,anomaly_score', ...lines].join('\n')}\n`, alarms, unplaced: opened.size - placed.size }
}

/** Findings by the series that they are about: an entity is `metric:<series>`. */
export function bySeries<Found extends Pick<Finding, 'entity'>>(
  findings: Iterable<Found>,
): ReadonlyMap<string, Found[]> {
  const groups = new Map<string, Found[]>()
  for (const finding of findings) {
    const name = finding.entity.replace(/^metric:/, '')
    groups.set(name, [...(groups.get(name) ?? []), finding])
  }
  return groups
}
