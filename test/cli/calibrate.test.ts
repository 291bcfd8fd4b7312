import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { calibrate } from '../../stream/cli/calibrate.ts'
import { createTerminal } from '../../stream/cli/terminal.ts'
import { loadConfig } from '../../stream/config.ts'
import { calibration } from '../../stream/contract/calibration.ts'
import { Random } from '../detect/random.ts'

const startMs = Date.UTC(2026, 0, 5)
const paneMs = 300_000
const hourMs = 3_600_000
/** A day and a half: a reference is learned after the first, and its record is on the topic of the measurements too. */
const panes = 432
const hosts = ['a', 'b', 'c', 'd']
const configText = `
sources: [{name: m, format: metric, pane: 5m}]
detect:
  detectors: {student-t: {minEffect: 0}}
  votes:
    metric:
      - {vote: value, problem: anomaly, features: every numeric, detectors: [student-t, page-hinkley], quorum: 1, sustain: {evaluations: 1}}
topics: {partitions: {panes: 1, casefile: 1}}
`

/** Values every five minutes; for two hours of the second day those of host a are far off. */
function history(): string {
  const random = new Random(7)
  const lines: string[] = []
  for (let pane = 0; pane < panes; pane++) {
    for (const entity of hosts) {
      const isBroken = entity === 'a' && pane >= 300 && pane < 324 && pane % 4 === 0
      const value = 50 + 5 * random.normal() + (isBroken ? 100 : 0)
      lines.push(JSON.stringify({ name: 'cpu', value, time: new Date(startMs + pane * paneMs).toISOString(), entity }))
    }
  }
  return `${lines.join('\n')}\n`
}

async function world() {
  const folder = await mkdtemp(join(tmpdir(), 'calibrate-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const path = (name: string) => join(folder, name)
  await writeFile(path('sentinel.yaml'), configText)
  await writeFile(path('history.ndjson'), history())
  let [printed, said] = ['', '']
  const terminal = createTerminal({
    output: { write: (text) => (printed += text) },
    errorOutput: { write: (text) => (said += text) },
    wishes: { noColor: true, dumb: true },
  })
  const run = (given: {
    rate: string[] | undefined
    output: string
    incidents?: string
    file?: string
    source?: string
  }) =>
    calibrate.run({
      flags: {
        ...{ config: path('sentinel.yaml'), help: false, from: undefined, to: undefined, incidents: undefined },
        ...{ file: path('history.ndjson'), source: 'm' },
        ...given,
        output: path(given.output),
      },
      positionals: [],
      terminal,
      signal: new AbortController().signal,
    })
  return { path, run, printed: () => printed, said: () => said }
}

describe('sentinel calibrate', () => {
  it('writes a calibration that the same configuration takes', { timeout: 180_000 }, async () => {
    const { path, run, printed } = await world()
    expect(await run({ rate: ['4 per day'], output: 'c.json' })).toBe(0)
    const written = calibration.parse(JSON.parse(await readFile(path('c.json'), 'utf8')))
    const [vote] = written.votes
    expect(vote).toMatchObject({ kind: 'metric', vote: 'value', entities: 4 })
    const [found] = vote!.thresholds
    expect(found!.alarms).toBeGreaterThanOrEqual(16)
    expect(found!.alarms / found!.entityWeeks).toBeLessThanOrEqual(28)
    expect(found!.entityWeeks).toBeCloseTo((4 * panes * paneMs) / (168 * hourMs), 0)
    expect(printed()).toContain('4 per day')
    const withBudget = configText.replace('quorum: 1,', 'quorum: 1, falseAlarms: 4 per day,')
    await writeFile(path('budget.yaml'), withBudget.replace('detect:', 'detect:\n  calibration: c.json'))
    const { config } = await loadConfig({
      path: path('budget.yaml'),
      env: {},
      readFile: (file) => readFile(file, 'utf8'),
    })
    expect(config.detect.calibration!.votes[0]!.thresholds[0]!.threshold).toBe(found!.threshold)

    // who has a budget and no calibration, or one that does not fit any more, can make one: of their rate too
    await writeFile(path('sentinel.yaml'), withBudget.replace('detect:', 'detect:\n  calibration: absent.json'))
    expect(await run({ rate: undefined, output: 'c2.json' })).toBe(1)
    const again = calibration.parse(JSON.parse(await readFile(path('c2.json'), 'utf8')))
    expect(again.votes[0]!.thresholds).toEqual(vote!.thresholds)
  })

  it('leaves labelled incidents out, a window longer', { timeout: 180_000 }, async () => {
    const { path, run } = await world()
    const from = new Date(startMs + 300 * paneMs).toISOString()
    const to = new Date(startMs + 324 * paneMs).toISOString()
    await writeFile(path('known.ndjson'), `${JSON.stringify({ from, to, entity: 'metric:cpu{a}' })}\n`)
    await run({ rate: ['4 per day'], output: 'with.json' })
    await run({ rate: ['4 per day'], output: 'without.json', incidents: path('known.ndjson') })
    const [withIt, without] = await Promise.all(
      ['with.json', 'without.json'].map(async (name) => {
        return calibration.parse(JSON.parse(await readFile(path(name), 'utf8'))).votes[0]!.thresholds[0]!
      }),
    )
    const leftOutMs = (withIt!.entityWeeks - without!.entityWeeks) * 168 * hourMs
    expect(Math.abs(leftOutMs - 3 * hourMs)).toBeLessThanOrEqual(2 * paneMs)
  })

  it('refuses what too few alarms would stand for, and says how much is missing', async () => {
    const { path, run, said } = await world()
    expect(await run({ rate: ['1 per week'], output: 'c.json' })).toBe(1)
    expect(said()).toMatch(/refused, 16 entity-weeks are missing beside the 0.8/)
    await expect(readFile(path('c.json'))).rejects.toThrow()
  })

  it('says what is wrong with what it was given', async () => {
    const { path, run } = await world()
    await expect(run({ rate: ['often'], output: 'c.json' })).rejects.toMatchObject({ code: 'USAGE' })
    await expect(run({ rate: ['1 per day'], output: 'c.json', source: 'x' })).rejects.toMatchObject({ code: 'USAGE' })
    await writeFile(path('bad.ndjson'), '{"from": "yesterday"}\n')
    const ask = { rate: ['1 per day'], output: 'c.json', incidents: path('bad.ndjson') }
    await expect(run(ask)).rejects.toMatchObject({
      code: 'INPUT_UNREADABLE',
      message: expect.stringContaining('line 1'),
    })
    const absent = { rate: ['1 per day'], output: 'c.json', file: path('absent.ndjson') }
    await expect(run(absent)).rejects.toMatchObject({ code: 'INPUT_UNREADABLE' })
  })
})
