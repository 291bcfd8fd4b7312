/** Worker processes that the harness starts, kills, stops and listens to. Built once, so that a start is cheap. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Cadence } from '../../stream/io/kafka/pipeline-options.ts'
import type { StageName } from '../../stream/topology.ts'
import type { PlannedHit } from './plan.ts'

export const root = join(import.meta.dirname, '../..')

/** Bundles the worker: a start costs 0.3 s of a core then, not 1.8 s. @returns the file */
export async function buildWorker(): Promise<string> {
  const { build } = await import('esbuild')
  const folder = join(root, '.sentinel/chaos/build') // as deep as stream/io/postgres: sql/ is found from it
  await mkdir(folder, { recursive: true })
  const outfile = join(folder, `worker-${process.pid}.mjs`)
  await build({
    entryPoints: [join(import.meta.dirname, 'worker-main.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    banner: {
      js: "import { createRequire as requireOf } from 'node:module'; const require = requireOf(import.meta.url);",
    },
    // the record decoder takes the place of one of its modules; the others bring binaries of their own
    external: [
      'kafkajs',
      'snappy',
      'lz4-napi',
      '@node-rs/crc32',
      '@bokuweb/zstd-wasm',
      'pg-native',
      'onnxruntime-node',
    ],
    logLevel: 'error',
  })
  return outfile
}

export interface WorkerStart {
  readonly file: string
  readonly configPath: string
  readonly environment: Readonly<Record<string, string>>
  readonly cadence: Partial<Cadence>
  readonly planned?: readonly PlannedHit[]
  readonly roles?: readonly StageName[]
}

/** Lines of its standard error that are kept, for a report of what went wrong. */
const tailLines = 60

export class WorkerProcess {
  readonly startedMs = performance.now()
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>
  /** What it did at failpoints: `<point> <act>`. */
  readonly hits: string[] = []
  /** ms from its start to the first record that a stage took. */
  readonly firstMs = new Map<string, number>()
  url: string | null = null
  hasEnded = false
  private readonly process: ChildProcess
  private readonly errors: string[] = []
  private readonly listeners = new Set<() => void>()

  constructor({ file, configPath, environment, cadence, planned = [], roles }: WorkerStart) {
    const args = [file, configPath, JSON.stringify(cadence), JSON.stringify(planned)]
    this.process = spawn(process.execPath, roles === undefined ? args : [...args, roles.join(',')], {
      cwd: root,
      env: { PATH: process.env['PATH'], HOME: process.env['HOME'], NODE_ENV: 'production', ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    byLine(this.process.stdout!, (line) => this.heard(line))
    byLine(this.process.stderr!, (line) => {
      this.errors.push(line)
      if (this.errors.length > tailLines) this.errors.shift()
      for (const listener of this.listeners) listener()
    })
    this.ended = new Promise((resolve) => {
      this.process.once('close', (code, signal) => {
        this.hasEnded = true
        resolve({ code, signal })
        for (const listener of this.listeners) listener()
      })
    })
  }

  get pid(): number {
    return this.process.pid!
  }

  get isReady(): boolean {
    return this.url !== null
  }

  /** Whether it stopped itself at a failpoint. */
  get hasStopped(): boolean {
    return this.hits.at(-1)?.endsWith(' stop') === true
  }

  /** Waits until something holds, or the process ends, or so long. @returns whether it holds */
  async until(holds: () => boolean, withinMs: number): Promise<boolean> {
    if (holds()) return true
    let timer: NodeJS.Timeout | undefined
    let listener: (() => void) | undefined
    await new Promise<void>((resolve) => {
      timer = setTimeout(resolve, withinMs)
      listener = () => {
        if (holds() || this.hasEnded) resolve()
      }
      this.listeners.add(listener)
      listener()
    })
    clearTimeout(timer)
    this.listeners.delete(listener!)
    return holds()
  }

  signal(name: NodeJS.Signals): void {
    this.process.kill(name)
  }

  async kill(): Promise<void> {
    this.process.kill('SIGKILL')
    await this.ended
  }

  /** Asks it to end. @returns its exit code, null when it had to be killed, and how long it took */
  async terminate(withinMs = 30_000): Promise<{ code: number | null; tookMs: number }> {
    const askedMs = performance.now()
    this.process.kill('SIGTERM')
    const timer = setTimeout(() => this.process.kill('SIGKILL'), withinMs)
    const { code } = await this.ended
    clearTimeout(timer)
    return { code, tookMs: performance.now() - askedMs }
  }

  /** The last lines that it wrote, warnings and worse. */
  tail(): string {
    return this.errors.join('\n')
  }

  private heard(line: string): void {
    const [word, what, act] = line.split(' ')
    if (word === 'hit') this.hits.push(`${what} ${act}`)
    if (word === 'ready') this.url = what!
    if (word === 'first') this.firstMs.set(what!, performance.now() - this.startedMs)
    for (const listener of this.listeners) listener()
  }
}

function byLine(stream: NodeJS.ReadableStream, onLine: (line: string) => void): void {
  let rest = ''
  stream.setEncoding('utf8')
  stream.on('data', (text: string) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop()!
    for (const line of lines) onLine(line)
  })
}
