/** Runs the shell scripts of this folder, which know how each service is had, started and stopped. */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { stripVTControlCharacters } from 'node:util'
import { SentinelError } from '../../stream/errors.ts'

export type Report = (line: string) => void

export interface Script {
  readonly file: 'kafka.sh' | 'timescale.sh' | 'postgres.sh' | 'registry.sh'
  readonly environment: NodeJS.ProcessEnv
}

const progressEveryMs = 10_000
const errorLinesMax = 15

function packageRoot(): string {
  // this file runs from deploy/local/ and, compiled, from dist/deploy/local/
  let folder = dirname(fileURLToPath(import.meta.url))
  while (!existsSync(join(folder, 'package.json'))) {
    const parent = dirname(folder)
    if (parent === folder) throw new SentinelError('NOT_FOUND', 'the package.json of sentinel-stream was not found')
    folder = parent
  }
  return folder
}

function pathOf(file: Script['file']): string {
  return join(packageRoot(), 'deploy', 'local', file)
}

/** The command that a person types to end the service, as short as it can be from here. */
export function stopCommand(file: Script['file']): string {
  const path = pathOf(file)
  const fromHere = relative(process.cwd(), path)
  return `${fromHere.startsWith('..') ? path : fromHere} stop`
}

/** What `info` prints, as an object; empty where the script cannot run. */
export function info({ file, environment }: Script): Readonly<Record<string, string>> {
  const { stdout } = spawnSync('bash', [pathOf(file), 'info'], { env: environment, encoding: 'utf8' })
  const pairs = (stdout ?? '').split('\n').map((line) => /^(\w+)=(.+)$/.exec(line))
  return Object.fromEntries(pairs.flatMap((pair) => (pair === null ? [] : [[pair[1]!, pair[2]!]])))
}

/**
 * Runs a script to its end and reports its progress: its own lines at once, and every 10 s how long the last step takes.
 *
 * @returns the last line of its output: an address or a URL
 * @throws SERVICE_UNAVAILABLE with the end of what it said, which names what to do next
 */
export function run(script: Script, args: readonly string[], report: Report): Promise<string> {
  const startMs = Date.now()
  const own = `${script.file}: `
  const child = spawn('bash', [pathOf(script.file), ...args], {
    env: script.environment,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  let rest = ''
  let step = ''
  const lines: string[] = []
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    const parts = (rest + text).split('\n')
    rest = parts.pop() ?? ''
    for (const line of parts.map(stripVTControlCharacters)) {
      lines.push(line)
      if (lines.length > errorLinesMax) lines.shift()
      if (!line.startsWith(own)) continue
      step = line.slice(own.length)
      report(step)
    }
  })
  const progress = setInterval(() => {
    if (step !== '') report(`… ${Math.round((Date.now() - startMs) / 1000)} s: ${step}`)
  }, progressEveryMs)
  return new Promise<string>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => {
      if (code === 0) return resolve(output.trimEnd().split('\n').at(-1) ?? '')
      const said = [...lines, rest].join('\n').trim()
      const end = signal === null ? `exit code ${code}` : signal
      reject(new SentinelError('SERVICE_UNAVAILABLE', `${script.file} ${args[0] ?? ''} failed (${end}):\n${said}`))
    })
  }).finally(() => clearInterval(progress))
}
