/** A process of its own for some kinds of series: prints a line of JSON for each. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type DefaultRate, metricRate } from './defaults.ts'
import { kinds } from './kinds.ts'
import {
  compare,
  type DelayRow,
  type PeerAnswer,
  type ProofOptions,
  type ProofRow,
  peerTask,
  prove,
  scoredPass,
} from './proof.ts'

export interface WorkerOrder {
  readonly kinds: readonly string[]
  readonly series: number
  readonly weeks: number
  readonly operated: number
  readonly followed: number
  /** Interpreter with River; null: no peers. */
  readonly python: string | null
}

export interface WorkerAnswer {
  readonly kind: string
  readonly proof: readonly ProofRow[]
  readonly delays: readonly DelayRow[]
  readonly defaults: DefaultRate
}

const order = JSON.parse(process.argv[2]!) as WorkerOrder
for (const kind of kinds.filter(({ name }) => order.kinds.includes(name))) {
  const { series, weeks, operated, followed } = order
  const options: ProofOptions = { kind, series, weeks, operated, followed }
  const pass = await scoredPass(options)
  const proof = prove(options, pass)
  const answers = order.python === null ? [] : askPeers(order.python, options, pass)
  const delays = answers.map((answer) => compare(options, pass, answer))
  const defaults = metricRate(kind.name, pass)
  console.log(JSON.stringify({ kind: kind.name, proof, delays, defaults } satisfies WorkerAnswer))
}

function askPeers(python: string, options: ProofOptions, pass: Awaited<ReturnType<typeof scoredPass>>): PeerAnswer[] {
  const folder = mkdtempSync(join(tmpdir(), 'sentinel-budget-'))
  try {
    const file = join(folder, 'task.json')
    writeFileSync(file, JSON.stringify(peerTask(options, pass)))
    const script = fileURLToPath(new URL('peers.py', import.meta.url))
    const text = execFileSync(python, [script, file], { encoding: 'utf8', maxBuffer: 2 ** 28 })
    return JSON.parse(text) as PeerAnswer[]
  } finally {
    rmSync(folder, { recursive: true })
  }
}
