/**
 * Our detectors against River and scipy, in CPU time an update or a test.
 *
 *   npx tsx bench/detectors/run.ts [--rounds 6] [--least-ms 300]
 *
 * One process each, one at work at a time, in the order A B B A; a ratio is of the two runs of one round. Python's
 * packages (`test/conformance/requirements.txt`) are installed under the cache, once. Before anything is timed, the
 * answers are compared: the same alarm indices, statistics and p to 1e-9. A difference ends the run; a ratio under its bar
 * makes it end with 1.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { median } from '../harness/pairs.ts'
import { python } from '../harness/python.ts'
import { type Task, tasks } from './tasks.ts'

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '6' }, 'least-ms': { type: 'string', default: '300' } },
})
const rounds = Number(values.rounds)
const leastMs = Number(values['least-ms'])
const here = (name: string) => fileURLToPath(new URL(name, import.meta.url))

interface Answer {
  readonly count: number
  readonly cpuUs: number
  readonly answers: unknown
}

/** A process that answers one line with one line. */
class Contestant {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>
  readonly #lines: AsyncIterator<string>

  constructor(command: string, args: readonly string[]) {
    this.#child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]()
  }

  async run(task: number, ms: number): Promise<Answer> {
    this.#child.stdin.write(`${JSON.stringify({ task, leastMs: ms })}\n`)
    const { value, done } = await this.#lines.next()
    if (done === true) throw new Error('a process ended before it had answered: its message is above')
    return JSON.parse(value) as Answer
  }

  end(): void {
    this.#child.stdin.end()
  }
}

function near(ours: unknown, theirs: unknown): boolean {
  if (Array.isArray(ours) && Array.isArray(theirs)) {
    return ours.length === theirs.length && ours.every((value, index) => near(value, theirs[index]))
  }
  if (typeof ours !== 'number' || typeof theirs !== 'number') return false
  return ours === theirs || Math.abs(ours - theirs) <= 1e-9 * Math.abs(theirs)
}

function compare({ name, kind }: Task, ours: Answer, theirs: Answer): void {
  if (!near(ours.answers, theirs.answers)) {
    throw new Error(`${name}: ${JSON.stringify(ours.answers)} is not ${JSON.stringify(theirs.answers)}`)
  }
  const answers = ours.answers as unknown[]
  const alarms = kind === 'kolmogorov-smirnov' || kind === 'wasserstein' ? 'statistics and p' : 'alarms'
  console.error(`equal: ${name}, ${answers.length} ${alarms}`)
}

const microseconds = ({ count, cpuUs }: Answer): number => cpuUs / count

/** @returns a row of the table, and whether the median ratio is at its bar */
async function time(index: number, ours: Contestant, peers: Contestant): Promise<{ row: string; reached: boolean }> {
  const costs = { ours: [] as number[], peers: [] as number[] }
  for (let round = 0; round < rounds; round++) {
    const order = round % 2 === 0 ? (['peers', 'ours'] as const) : (['ours', 'peers'] as const)
    for (const side of order) {
      costs[side].push(microseconds(await (side === 'ours' ? ours : peers).run(index, leastMs)))
    }
  }
  const ratios = costs.peers.map((cost, round) => cost / costs.ours[round]!)
  const { name, bar } = tasks[index]!
  const digits = (value: number) => (value >= 1_000 ? String(Math.round(value)) : value.toPrecision(3))
  const both = (of: readonly number[]) => `${digits(Math.min(...of))} / ${digits(median(of))}`
  const reached = median(ratios) >= bar
  const bars = reached ? String(bar) : `${bar}, not reached`
  return { row: `| ${name} | ${both(costs.peers)} | ${both(costs.ours)} | ${both(ratios)} | ${bars} |`, reached }
}

const folder = mkdtempSync(join(tmpdir(), 'sentinel-bench-'))
const file = join(folder, 'tasks.json')
writeFileSync(file, JSON.stringify(tasks))
const requirements = here('../../test/conformance/requirements.txt')
const peers = new Contestant(python({ name: 'venv-detectors', requirements }), [here('peers.py'), file])
const ours = new Contestant(process.execPath, ['--import', 'tsx', here('work.ts')])
try {
  for (const [index, task] of tasks.entries()) compare(task, await ours.run(index, 1), await peers.run(index, 1))
  for (const index of tasks.keys()) await ours.run(index, leastMs)
  const rows: string[] = []
  for (const index of tasks.keys()) {
    const { row, reached } = await time(index, ours, peers)
    console.error(row)
    rows.push(row)
    if (!reached) process.exitCode = 1
  }
  console.log(`\n${rounds} rounds; µs of CPU an update or a test: least / median\n`)
  console.log('|  | River, scipy | ours | times as fast: least / median | bar |\n|---|---|---|---|---|')
  console.log(rows.join('\n'))
} finally {
  ours.end()
  peers.end()
  rmSync(folder, { recursive: true })
}
