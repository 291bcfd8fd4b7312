#!/usr/bin/env node
/** The command line: reads it, wires a terminal and signals, runs one command. */
import { parseCommandLine } from './cli/args.ts'
import { commands } from './cli/commands.ts'
import { commandHelp, overviewHelp } from './cli/help.ts'
import { packageVersion } from './cli/package-file.ts'
import { createTerminal } from './cli/terminal.ts'
import { terminalWishes } from './config/environment.ts'
import { processEnvironment } from './config.ts'
import { SentinelError } from './errors.ts'

const terminal = createTerminal({
  output: process.stdout,
  errorOutput: process.stderr,
  input: process.stdin,
  interrupt: () => process.kill(process.pid, 'SIGINT'),
  wishes: terminalWishes(processEnvironment()),
})

async function main(argv: readonly string[]): Promise<number> {
  const invocation = parseCommandLine(argv, commands)
  const version = packageVersion()
  if (invocation.kind === 'version') {
    terminal.print(version)
    return 0
  }
  if (invocation.kind === 'help') {
    const { command } = invocation
    terminal.print(command === undefined ? overviewHelp(commands, terminal, version) : commandHelp(command, terminal))
    return 0
  }
  const { command, flags, positionals } = invocation
  return command.run({ flags, positionals, terminal, signal: interruption() })
}

/** A worker is out of its groups long before. */
const stopMs = 15_000

/** Aborted by the first SIGINT or SIGTERM; the second ends the process at once. */
function interruption(): AbortSignal {
  const controller = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.on(name, () => {
      if (controller.signal.aborted) process.exit(130)
      controller.abort(name)
      // a command that waits for a broker looks at nothing else
      setTimeout(() => process.exit(130), stopMs).unref()
    })
  }
  return controller.signal
}

// a reader such as `head` that has seen enough is no error
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0)
})

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  terminal.fail(
    error instanceof Error
      ? error instanceof SentinelError
        ? error.message
        : (error.stack ?? error.message)
      : String(error),
  )
  process.exitCode = error instanceof SentinelError ? error.exitCode : 70
}
// connections of a client library may outlive their use
setTimeout(() => process.exit(), 2_000).unref()
