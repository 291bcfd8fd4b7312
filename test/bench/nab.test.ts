import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { MeasuredPane } from '../../bench/nab/judge.ts'
import { tell, writeScores } from '../../bench/nab/run.ts'
import { newExtremes, opens, scoreRows, statisticsOf } from '../../bench/nab/scores.ts'
import { listSeries, readSeries, seriesOf } from '../../bench/nab/series.ts'
import { profileTable, readScorer, seriesTable } from '../../bench/nab/table.ts'
import type { Finding } from '../../stream/contract/finding.ts'

const MINUTE_MS = 60_000
const startMs = Date.UTC(2014, 3, 1)
const at = (minute: number) => new Date(startMs + minute * MINUTE_MS).toISOString().slice(0, 19).replace('T', ' ')

function found(minute: number, change: Partial<Finding['votes'][number]> = {}): Finding {
  return {
    type: 'finding',
    id: '0'.repeat(32),
    tenant: 'default',
    entity: 'metric:group/one',
    kind: 'metric',
    source: 'nab',
    timeMs: startMs + minute * MINUTE_MS,
    measurementId: null,
    votes: [
      {
        vote: 'value',
        feature: 'x',
        problem: 'anomaly',
        status: 'drift',
        score: 7,
        quorum: 1,
        groups: [],
        previous: 'stable',
        changed: true,
        ...change,
      },
    ],
    evidence: [],
  }
}

const paneAt = (minute: number, mean: number, statistic?: number): MeasuredPane => ({
  endMs: startMs + minute * MINUTE_MS,
  mean,
  verdicts:
    statistic === undefined
      ? []
      : [{ detector: 'range-novelty', status: 'stable', score: 0, statistic, effect: 0, threshold: 6, sampleCount: 1 }],
})

describe('scores', () => {
  const rows = [0, 5, 10, 12, 10, 20].map((minute) => ({ timestamp: at(minute), timeMs: startMs + minute * MINUTE_MS }))

  it('gives every row the statistic of its pane, in the order of the file, and counts rows that nobody judged', () => {
    const scores = statisticsOf(
      [paneAt(5, 1, 0), paneAt(10, 1, 0.25), paneAt(15, 1, 2), paneAt(25, 1)],
      'range-novelty',
    )
    const { csv, unjudged } = scoreRows(rows, scores, 5 * MINUTE_MS)
    const column = csv
      .trimEnd()
      .split('\n')
      .map((line) => line.split(',')[1])
    expect(column).toEqual(['anomaly_score', '0', '0.25', '2', '2', '2', '0'])
    expect(unjudged).toBe(1)
    expect(statisticsOf([paneAt(5, 1, 3)], 'student-t').size).toBe(0)
  })

  it('knows new extremes of what was measured', () => {
    const panes = Array.from({ length: 300 }, (_, index) => paneAt(5 * (index + 1), index === 250 ? 14 : index % 11))
    const scores = newExtremes(panes)
    const found = [...scores].filter(([, score]) => score > 0)
    expect(found).toEqual([[panes[250]!.endMs, Math.sqrt(0.4)]])
    expect(scores.size).toBe(300)
  })

  it('opens an alarm where a vote became drift, and only there', () => {
    expect(opens(found(5))).toBe(true)
    expect(opens(found(5, { status: 'stable', previous: 'drift' }))).toBe(false)
    expect(opens(found(5, { changed: false }))).toBe(false)
  })

  it('names a series by its entity', () => {
    expect(['metric:group/one', 'metric:b'].map(seriesOf)).toEqual(['group/one', 'b'])
  })
})

describe('tables', () => {
  const output = `note: realKnownCause/x.csv is not in time order: 22 rows
standard: score 67.59 at threshold 0.306319; 2 series, windows hit 32, missed 7, alarms outside windows 48
  group/one.csv: raw -0.230, hit 1, missed 1, outside 3
  group/b.csv: raw 0.000, hit 0, missed 0, outside 0
reward_low_FP_rate: score -3.10 at threshold inf; 2 series, windows hit 0, missed 39, alarms outside windows 0
  group/one.csv: raw -2.000, hit 0, missed 2, outside 0
`

  it('are made of what the scorer printed', () => {
    const { profiles, series } = readScorer(output)
    expect(profileTable([{ detector: 'range-novelty', profiles }]).slice(2)).toEqual([
      '| range-novelty | standard | 67.59 | 0.306319 | 32 | 7 | 48 |',
      '| range-novelty | reward low FP rate | -3.10 | Infinity | 0 | 39 | 0 |',
    ])
    expect(seriesTable(series, new Map([['group/one', 4_032]])).slice(2)).toEqual([
      '| group/one | 4,032 | 1 of 2 | 3 |',
      '| group/b | 0 | 0 of 0 | 0 |',
    ])
  })
})

describe('tell', () => {
  const counts = { rows: 10, accepted: 9, late: 1, skewed: 0, rejected: 0, deadLetters: 0, openRows: 2, paneMs: 1 }
  const findings = [found(5), found(10, { status: 'stable', previous: 'drift' })]

  it('says what became of every row', () => {
    expect(tell({ ...counts, findings })).toEqual({
      lines: [
        '10 rows: 9 accepted, 1 late, 0 skewed, 0 rejected; 0 dead letters',
        '2 of them in panes that are still open at the end of their series, not judged',
        '2 findings, 1 of them open an alarm',
      ],
      isWhole: true,
    })
  })

  it.each([
    ['a row is missing', { accepted: 8 }],
    ['a row was rejected', { accepted: 8, rejected: 1 }],
    ['a row was skewed', { accepted: 8, skewed: 1 }],
    ['there is a dead letter', { deadLetters: 1 }],
  ])('does not pass when %s', (_, change) => {
    expect(tell({ ...counts, ...change, findings }).isWhole).toBe(false)
  })
})

describe('files', () => {
  let folder = ''
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'nab-test-'))
    await mkdir(join(folder, 'data/group'), { recursive: true })
    await writeFile(join(folder, 'data/group/one.csv'), `timestamp,value\n${at(0)},1\n${at(5)},2\n`)
    await writeFile(join(folder, 'data/group/b.csv'), `timestamp,value\n${at(0)},1\n`)
  })
  afterAll(() => rm(folder, { recursive: true }))

  it('lists and reads series', async () => {
    const series = await listSeries(folder)
    expect(series.map((one) => one.name)).toEqual(['group/b', 'group/one'])
    expect(await readSeries(series[1]!)).toEqual([
      { timestamp: at(0), timeMs: startMs },
      { timestamp: at(5), timeMs: startMs + 5 * MINUTE_MS },
    ])
  })

  it('writes a row for every row of every series', async () => {
    const results = join(folder, 'results')
    const pane = paneAt(10, 1, 0.5)
    const scores = (name: string) => statisticsOf(name === 'group/one' ? [pane] : [], 'range-novelty')
    const written = await writeScores({ data: folder, results, scores, paneMs: 5 * MINUTE_MS })
    expect(written).toEqual({
      rows: new Map([
        ['group/b', 1],
        ['group/one', 2],
      ]),
      unjudged: 2,
    })
    expect(await readFile(join(results, 'group/one.csv'), 'utf8')).toBe(
      `timestamp,anomaly_score\n${at(0)},0\n${at(5)},0.5\n`,
    )
  })
})
