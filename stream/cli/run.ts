import type { LoadedConfig } from '../config.ts'
import { SentinelError } from '../errors.ts'
import { createTelemetry, type Telemetry } from '../telemetry.ts'
import { type StageName, stageNames } from '../topology.ts'
import { type CommandContext, defineCommand } from './args.ts'
import { load } from './load.ts'
import type { Terminal } from './terminal.ts'
import { startWorker } from './worker.ts'

const flags = {
  roles: {
    type: 'list',
    value: 'STAGES',
    choices: stageNames,
    default: stageNames,
    description: 'Stages that this process runs; all of them where absent',
  },
} as const

/** Runs the worker until it is told to stop. */
export const run = defineCommand({
  name: 'run',
  summary: 'Run the worker: read topics, judge, open incidents, serve the API',
  description:
    'Reads the topics of the configuration (without one: logs, metrics and predictions, as far as they exist), makes its ' +
    'own topics and tables where they are missing, and goes on until SIGINT or SIGTERM: then it drains, stores its ' +
    'positions and leaves its groups. Start as many as you like; Kafka shares the partitions out.',
  flags,
  positionals: [],
  examples: [
    { line: 'sentinel run', what: 'every stage in one process' },
    { line: 'sentinel run --config sentinel.yaml --roles ingest,detect', what: 'two stages, the others elsewhere' },
  ],
  run: runWorker,
})

async function runWorker(context: CommandContext<typeof flags>): Promise<number> {
  const { terminal } = context
  let hasEnded = false
  const write = (line: string) => {
    if (!hasEnded) terminal.note(line.trimEnd())
  }
  let telemetry: Telemetry | undefined
  let form = logForm(terminal, 'auto') // until the configuration was read
  try {
    const warnings: string[] = []
    const loaded = await load({ flags: context.flags, terminal: { warn: (text) => warnings.push(text) } })
    form = logForm(terminal, loaded.config.log.format)
    telemetry = createTelemetry({ log: form, level: loaded.config.log.level, write })
    for (const text of warnings) telemetry.doubted(text)
    telemetry.budgeted(loaded.config)
    return await runUntilStopped(context, { loaded, telemetry })
  } catch (error) {
    if (form !== 'json') throw error
    // who reads the lines as JSON finds the reason in the last one, whatever a client library still says after it
    telemetry ??= createTelemetry({ log: form, write })
    const exitCode = error instanceof SentinelError ? error.exitCode : 70
    telemetry.failed(error, { exitCode })
    hasEnded = true
    return exitCode
  }
}

function logForm(terminal: Terminal, format: LoadedConfig['config']['log']['format']): 'json' | 'terminal' {
  return format === 'json' || (format === 'auto' && !terminal.isInteractive) ? 'json' : 'terminal'
}

/** @throws the error that nobody retries */
async function runUntilStopped(
  { terminal, signal, flags: given }: CommandContext<typeof flags>,
  { loaded, telemetry }: { loaded: LoadedConfig; telemetry: Telemetry },
): Promise<number> {
  let fail!: (error: SentinelError) => void
  const failed = new Promise<SentinelError>((resolve) => {
    fail = resolve
  })
  const starting = startWorker({
    loaded,
    roles: given.roles as readonly StageName[],
    telemetry,
    terminal: terminal.isInteractive,
    print: (line) => terminal.note(line),
    onFatal: fail,
    signal,
  })
  // one that still waits for its topics is stopped like any other
  const worker = await starting.catch((error: unknown) => {
    if (signal.aborted && error === signal.reason) return null
    throw error
  })
  if (worker === null) {
    telemetry.stopping({ reason: 'asked to' })
    telemetry.stopped()
    return 0
  }
  const stopped = new Promise<undefined>((resolve) => {
    if (signal.aborted) resolve(undefined)
    signal.addEventListener('abort', () => resolve(undefined))
  })
  const failure = await Promise.race([failed, stopped])
  telemetry.stopping({ reason: failure === undefined ? 'asked to' : failure.message })
  await worker.stop()
  if (failure !== undefined) throw failure
  return 0
}
