/** What a scorer printed, as tables of the documentation. */

export interface ProfileScore {
  readonly profile: string
  readonly score: number
  readonly threshold: number
  readonly hit: number
  readonly missed: number
  readonly outside: number
}

export interface SeriesScore {
  readonly series: string
  readonly hit: number
  readonly missed: number
  readonly outside: number
}

const profileLine =
  /^(\w+): score (-?[\d.]+) at threshold (\S+); \d+ series, windows hit (\d+), missed (\d+), alarms outside windows (\d+)$/
const seriesLine = /^ {2}(\S+)\.csv: raw -?[\d.]+, hit (\d+), missed (\d+), outside (\d+)$/

/** Reads a scorer's lines; the series are those of the profile `standard`. */
export function readScorer(output: string): { profiles: ProfileScore[]; series: SeriesScore[] } {
  const profiles: ProfileScore[] = []
  const series: SeriesScore[] = []
  for (const line of output.split('\n')) {
    const [, profile, score, threshold, ...counts] = profileLine.exec(line) ?? []
    if (profile !== undefined) {
      const [hit, missed, outside] = counts.map(Number)
      const numbers = {
        score: Number(score),
        threshold: threshold === 'inf' ? Number.POSITIVE_INFINITY : Number(threshold),
      }
      profiles.push({ profile, ...numbers, hit: hit!, missed: missed!, outside: outside! })
      continue
    }
    const [, name, hit, missed, outside] = seriesLine.exec(line) ?? []
    if (name === undefined || profiles.at(-1)?.profile !== 'standard') continue
    series.push({ series: name, hit: Number(hit), missed: Number(missed), outside: Number(outside) })
  }
  return { profiles, series }
}

/** One line for each detector and profile. */
export function profileTable(of: readonly { readonly detector: string; readonly profiles: readonly ProfileScore[] }[]) {
  const lines = of.flatMap(({ detector, profiles }) =>
    profiles.map(({ profile, score, threshold, hit, missed, outside }) => {
      const name = profile.replaceAll('_', ' ')
      return `| ${detector} | ${name} | ${score.toFixed(2)} | ${threshold} | ${hit} | ${missed} | ${outside} |`
    }),
  )
  return [
    '| detector | profile | score | threshold | windows hit | missed | alarms outside windows |',
    '|---|---|---|---|---|---|---|',
    ...lines,
  ]
}

/** One line for each series. */
export function seriesTable(scores: readonly SeriesScore[], rows: ReadonlyMap<string, number>): string[] {
  return [
    '| series | rows | windows hit | alarms outside windows |',
    '|---|---|---|---|',
    ...scores.map(({ series, hit, missed, outside }) => {
      const count = (rows.get(series) ?? 0).toLocaleString('en-US')
      return `| ${series} | ${count} | ${hit} of ${hit + missed} | ${outside} |`
    }),
  ]
}
