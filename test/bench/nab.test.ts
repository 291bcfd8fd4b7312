import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { tell, writeScores } from '../../bench/nab/run.ts'
import { bySeries, scoreRows } from '../../bench/nab/scores.ts'
import { listSeries, readSeries } from '../../bench/nab/series.ts'
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

describe('scoreRows', () => {
  const rows = [0, 5, 10, 12, 10, 20].map((minute) => ({ timestamp: at(minute), timeMs: startMs + minute * MINUTE_MS }))

  it('scores 1 for the rows of a pane that opens a finding, in the order of the file', () => {
    const scores = scoreRows(rows, [found(15)], 5 * MINUTE_MS)
    expect(scores.csv.split('\n').map((line) => line.split(',')[1])).toEqual([
      'anomaly_score',
      '0',
      '0',
      '1',
      '1',
      '1',
      '0',
      undefined,
    ])
    expect(scores).toMatchObject({ alarms: 3, unplaced: 0 })
  })

  it('scores nothing for a finding that recovers, and counts one that no row stands for', () => {
    const recovered = found(5, { status: 'stable', previous: 'drift' })
    const unchanged = found(10, { changed: false })
    expect(scoreRows(rows, [recovered, unchanged, found(20)], 5 * MINUTE_MS)).toMatchObject({ alarms: 0, unplaced: 1 })
  })

  it('groups findings by series', () => {
    expect(
      [...bySeries([found(5), found(6), { ...found(7), entity: 'metric:b' }])].map(([name, group]) => [
        name,
        group.length,
      ]),
    ).toEqual([
      ['group/one', 2],
      ['b', 1],
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
    const lines = await writeScores({ data: folder, results, findings: [found(10)], paneMs: 5 * MINUTE_MS })
    expect(lines).toEqual(['group/b: 1 rows, 0 alarms', 'group/one: 2 rows, 1 alarms'])
    expect(await readFile(join(results, 'group/one.csv'), 'utf8')).toBe(
      `timestamp,anomaly_score\n${at(0)},0\n${at(5)},1\n`,
    )
  })
})
