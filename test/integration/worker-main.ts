/**
 * A worker as a process that a test can kill: `worker-main.ts <config> <cadence as JSON>`. Prints `ready` when every
 * stage has joined and recovered; drains and ends at SIGTERM.
 */
import { readFile } from 'node:fs/promises'
import { startWorker } from '../../stream/cli/worker.ts'
import { loadConfig } from '../../stream/config.ts'
import { createTelemetry } from '../../stream/telemetry.ts'
import { stageNames } from '../../stream/topology.ts'

const [path, cadence = '{}'] = process.argv.slice(2)
const write = (line: string): void => void process.stderr.write(line)
const starting = startWorker({
  loaded: await loadConfig({ path, readFile: (file) => readFile(file, 'utf8') }),
  roles: stageNames,
  telemetry: createTelemetry({ log: 'json', level: 'info', write }),
  terminal: false,
  print: write,
  cadence: JSON.parse(cadence),
  onFatal: (error) => {
    write(`fatal: ${error.stack}\n`)
    process.exit(error.exitCode)
  },
})
// also one that is still starting stops in order
process.on('SIGTERM', () => void starting.then((worker) => worker.stop()).then(() => process.exit(0)))
const worker = await starting
const watch = setInterval(() => {
  if (!worker.ready) return
  clearInterval(watch)
  process.stdout.write(`ready ${worker.api.url}\n`)
}, 10)
