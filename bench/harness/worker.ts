/** The whole worker as `sentinel run` starts it, in a process of its own, looked at by its metrics. */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type StageName, stageNames } from '../../stream/topology.ts'
import { script } from './child.ts'

export interface WorkerStart {
  readonly brokers: readonly string[]
  readonly databaseUrl: string
  /** What `sentinel.yaml` holds, without what belongs to this machine. */
  readonly configuration: Readonly<Record<string, unknown>>
  /** Stages; all where absent. */
  readonly roles?: readonly StageName[]
  /** PEM, where several workers share their topics; each makes one of its own otherwise. */
  readonly signingKey?: string
}

const readyWithinMs = 180_000
const endsWithinMs = 30_000

export class BenchWorker {
  readonly pid: number
  /** As performance.now() tells. */
  readonly startedMs = performance.now()
  /** Rejects when the process ends by itself. */
  readonly died: Promise<never>
  private readonly url: string
  private readonly folder: string
  private readonly child: ReturnType<typeof spawn>
  private isStopping = false

  private constructor(child: ReturnType<typeof spawn>, at: { url: string; folder: string }) {
    this.child = child
    this.pid = child.pid!
    this.url = at.url
    this.folder = at.folder
    this.died = new Promise((_, reject) => {
      child.once('exit', (code, signal) => {
        if (!this.isStopping) reject(new Error(`the worker has ended with ${code ?? signal}: see what it says above`))
      })
    })
    this.died.catch(() => {}) // whoever waits for it hears of it
  }

  /** @returns when every stage has joined and recovered @throws when that takes more than three minutes */
  static async start(options: WorkerStart): Promise<BenchWorker> {
    const { brokers, databaseUrl, configuration, roles = stageNames, signingKey } = options
    const folder = await mkdtemp(join(tmpdir(), 'sentinel-bench-'))
    const port = await freePort()
    const path = join(folder, 'sentinel.yaml')
    const whole = { http: { port }, log: { level: 'warn', format: 'json' }, stateFolder: folder, ...configuration }
    await writeFile(path, JSON.stringify(whole)) // JSON is YAML
    const main = new URL('../../stream/main.ts', import.meta.url)
    const { command, args } = script(main, ['run', '--config', path, '--roles', roles.join(',')])
    const child = spawn(command, args, {
      env: {
        ...process.env,
        NODE_ENV: 'production',
        KAFKA_BROKERS: brokers.join(','),
        DATABASE_URL: databaseUrl,
        SENTINEL_TOKEN: randomBytes(24).toString('hex'),
        ...(signingKey === undefined ? {} : { SENTINEL_SIGNING_KEY: signingKey }),
      },
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    const worker = new BenchWorker(child, { url: `http://127.0.0.1:${port}`, folder })
    try {
      await worker.untilReady()
    } catch (error) {
      await worker.stop()
      throw error
    }
    return worker
  }

  async metrics(): Promise<Metrics> {
    const response = await fetch(`${this.url}/metrics`)
    if (!response.ok) throw new Error(`/metrics answered ${response.status}`)
    return new Metrics(await response.text())
  }

  accepted(metrics: Metrics): number {
    return metrics.sum('sentinel_ingest_positions_total', { outcome: 'accepted' })
  }

  /**
   * Waits until so many records are accepted and every stage is at the end of what it reads, seen three times in a row.
   *
   * @returns when it was seen first, as performance.now() tells @throws when that takes longer than `withinMs`
   */
  async untilTaken(records: number, withinMs: number): Promise<number> {
    const giveUpMs = performance.now() + withinMs
    // what one stage has written the next one's lag knows a second later
    for (let quiet = 0, sinceMs = 0; ; ) {
      await new Promise((resolve) => setTimeout(resolve, 500))
      const metrics = await this.metrics()
      const accepted = this.accepted(metrics)
      const lag = metrics.sum('sentinel_lag_records')
      quiet = accepted >= records && lag === 0 ? quiet + 1 : 0
      if (quiet === 1) sinceMs = performance.now()
      if (quiet === 3) return sinceMs
      if (performance.now() < giveUpMs) continue
      throw new Error(
        `after ${withinMs / 1_000} s the worker has accepted ${accepted} of ${records}, ${lag} are behind`,
      )
    }
  }

  /** Drains it. Killed where that takes more than half a minute. */
  async stop(): Promise<void> {
    this.isStopping = true
    if (!this.hasEnded) {
      const ended = once(this.child, 'exit')
      this.child.kill('SIGTERM')
      const timer = setTimeout(() => this.child.kill('SIGKILL'), endsWithinMs)
      await ended
      clearTimeout(timer)
    }
    await rm(this.folder, { recursive: true, force: true })
  }

  private get hasEnded(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null
  }

  private async untilReady(): Promise<void> {
    const giveUpMs = performance.now() + readyWithinMs
    while (performance.now() < giveUpMs && !this.hasEnded) {
      const answer = await fetch(`${this.url}/health/ready`).catch(() => null)
      if (answer?.status === 200) return
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    throw new Error('the worker did not become ready: see what it says above')
  }
}

/** One look at the metrics, in the text format of Prometheus. */
export class Metrics {
  private readonly lines: readonly string[]

  constructor(text: string) {
    this.lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  }

  /** Sum over the series of a name whose labels hold all of `labels`; 0 where there is none. */
  sum(name: string, labels: Readonly<Record<string, string>> = {}): number {
    const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`)
    let sum = 0
    for (const line of this.lines) {
      const isNamed = line.startsWith(`${name} `) || line.startsWith(`${name}{`)
      if (isNamed && wanted.every((label) => line.includes(label))) sum += Number(line.slice(line.lastIndexOf(' ') + 1))
    }
    return sum
  }
}

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}
