/**
 * A worker that dies as planned: `worker-main <config> <cadence as JSON> <planned hits as JSON> <roles>`. Says `ready`
 * when every stage has joined and recovered, `first <stage>` at the first record that a stage takes, `hit <point> <act>`
 * before it acts at a failpoint. Drains and ends at SIGTERM.
 */
import { readFile } from 'node:fs/promises'
import { startWorker } from '../../stream/cli/worker.ts'
import { loadConfig } from '../../stream/config.ts'
import { SentinelError } from '../../stream/errors.ts'
import { createTelemetry } from '../../stream/telemetry.ts'
import { type StageName, stageNames } from '../../stream/topology.ts'
import { failpointFor, say } from './plan.ts'

const [path, cadence = '{}', planned = '[]', roles = stageNames.join(',')] = process.argv.slice(2)
const write = (line: string): void => void process.stderr.write(line)
const telemetry = createTelemetry({ log: 'json', level: 'info', write })
const begun = new Set<string>()
const failpoint = failpointFor(JSON.parse(planned))
const end = (error: Error): never => {
  write(`fatal: ${error.stack}\n`)
  say(`fatal ${error instanceof SentinelError ? error.code : error.name}`)
  process.exit(error instanceof SentinelError ? error.exitCode : 1)
}
const worker = await startWorker({
  loaded: await loadConfig({ path, readFile: (file) => readFile(file, 'utf8') }),
  roles: roles.split(',') as StageName[],
  telemetry: {
    ...telemetry,
    batch(batch) {
      telemetry.batch(batch)
      if (batch.records === 0 || begun.has(batch.stage)) return
      begun.add(batch.stage)
      say(`first ${batch.stage}`)
    },
  },
  terminal: false,
  print: write,
  cadence: JSON.parse(cadence),
  ...(failpoint === undefined ? {} : { failpoint }),
  onFatal: end,
}).catch(end)
process.on('SIGTERM', () => void worker.stop().then(() => process.exit(0)))
const watch = setInterval(() => {
  if (!worker.ready) return
  clearInterval(watch)
  say(`ready ${worker.api.url}`)
}, 20)
