/** Processes that tests start, kill and listen to. None outlives its test. */
import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { Cadence } from '../../stream/io/kafka/pipeline-options.ts'
import { environment, until } from './world.ts'

const root = join(import.meta.dirname, '../..')

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
  readonly tookMs: number
}

export interface ChildOptions {
  readonly env?: Record<string, string>
  readonly cwd?: string
  readonly input?: string
  /** More input may come, as from a pipe whose other end waits; false. */
  readonly goesOn?: boolean
}

export class Child {
  stdout = ''
  stderr = ''
  readonly ended: Promise<Ended>
  private readonly process: ChildProcess
  private hasEnded = false

  constructor(args: readonly string[], options: ChildOptions = {}) {
    const startedMs = performance.now()
    this.process = spawn(process.execPath, args, {
      cwd: options.cwd ?? root,
      env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...environment, ...options.env },
      stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    })
    this.process.stdin?.write(options.input ?? '')
    if (options.goesOn !== true) this.process.stdin?.end()
    this.process.stdout!.setEncoding('utf8').on('data', (text) => {
      this.stdout += text
    })
    this.process.stderr!.setEncoding('utf8').on('data', (text) => {
      this.stderr += text
    })
    this.ended = new Promise((resolve, reject) => {
      this.process.once('error', reject)
      this.process.once('close', (code, signal) => {
        this.hasEnded = true
        const { stdout, stderr } = this
        resolve({ code, signal, stdout, stderr, tookMs: performance.now() - startedMs })
      })
    })
    onTestFinished(async () => {
      this.process.kill('SIGKILL')
      await this.ended.catch(() => {})
    })
  }

  get pid(): number {
    return this.process.pid!
  }

  /** Waits for a line of its output. @throws with what it said instead, when it ends or is silent for too long */
  async says(pattern: RegExp, withinMs = 30_000): Promise<RegExpExecArray> {
    return until(
      `a process to say ${pattern}`,
      async () => {
        const found = pattern.exec(this.stdout)
        if (found === null && this.hasEnded) throw new Error(`it ended without ${pattern}:\n${this.tail()}`)
        return found
      },
      { withinMs, everyMs: 10, instead: () => this.tail() },
    )
  }

  /** @returns how it ended; killed, with an error, when that takes too long */
  async end(withinMs = 60_000): Promise<Ended> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        this.process.kill('SIGKILL')
        reject(new Error(`a process did not end within ${withinMs / 1000} s:\n${this.tail()}`))
      }, withinMs)
    })
    return Promise.race([this.ended, late]).finally(() => clearTimeout(timer))
  }

  async kill(): Promise<void> {
    this.process.kill('SIGKILL')
    await this.ended
  }

  /** Asks it to end. `tookMs` of what comes back counts from here. */
  async terminate(withinMs = 20_000): Promise<Ended> {
    const askedMs = performance.now()
    this.process.kill('SIGTERM')
    const ended = await this.end(withinMs)
    return { ...ended, tookMs: performance.now() - askedMs }
  }

  private tail(): string {
    return `${this.stdout.slice(-1_000)}\n${this.stderr.slice(-3_000)}`
  }
}

/** So short that every life of a process leaves commits and checkpoints behind, and work that they do not hold. */
const shortCadence: Partial<Cadence> = { commitEveryMs: 200, checkpointEveryMs: 500, tickEveryMs: 3_600_000 }

export function workerProcess(
  configPath: string,
  cadence: Partial<Cadence> = shortCadence,
  env: Record<string, string> = {},
): Child {
  const args = ['--import', 'tsx', join(import.meta.dirname, 'worker-main.ts'), configPath, JSON.stringify(cadence)]
  return new Child(args, { env })
}

/** The command line, from its sources. */
export function sentinel(args: readonly string[], options: ChildOptions = {}): Child {
  const tsx = join(root, 'node_modules/tsx/dist/esm/index.mjs')
  return new Child(['--import', tsx, join(root, 'stream/main.ts'), ...args], options)
}
