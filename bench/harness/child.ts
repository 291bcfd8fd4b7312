/** A process of its own for each measurement: what it costs is its CPU time, from where it says to its last record. */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** What a measured process prints as its last line. */
export interface Cost {
  readonly records: number
  /** CPU of the whole process, user and system, in µs. */
  readonly cpuUs: number
  readonly wallMs: number
  readonly rssMb: number
  /** What came of it, by name, for the comparison of outputs. */
  readonly outcome?: Readonly<Record<string, unknown>>
}

export interface Command {
  readonly command: string
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

/** One of the benchmark's own files as a command. */
export function script(url: URL, args: readonly string[]): Command {
  const flags = (process.env['BENCH_NODE_FLAGS'] ?? '').split(' ').filter((flag) => flag !== '')
  return { command: process.execPath, args: [...flags, '--import', 'tsx', fileURLToPath(url), ...args] }
}

/** @throws when the process fails or its last line is no cost */
export function measure({ command, args, env }: Command): Promise<Cost> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      env: { ...process.env, NODE_ENV: 'production', KAFKAJS_NO_PARTITIONER_WARNING: '1', ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let output = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
    child.once('error', reject)
    child.once('close', (code) => {
      const last = output.trimEnd().split('\n').at(-1) ?? ''
      if (code !== 0) return reject(new Error(`${command} ${args.join(' ')} ended with ${code}`))
      try {
        resolve(JSON.parse(last) as Cost)
      } catch {
        reject(new Error(`${command} ${args.join(' ')} printed no cost, but: ${last.slice(0, 200)}`))
      }
    })
  })
}

/** Measures this process from here on. */
export function startCost(): (records: number, outcome?: Cost['outcome']) => Cost {
  const cpu = process.cpuUsage()
  const startedMs = performance.now()
  return (records, outcome) => {
    const { user, system } = process.cpuUsage(cpu)
    const wallMs = performance.now() - startedMs
    const rssMb = process.resourceUsage().maxRSS / 1024
    return { records, cpuUs: user + system, wallMs, rssMb, ...(outcome === undefined ? {} : { outcome }) }
  }
}
