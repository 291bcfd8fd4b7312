/** The small world's configuration as a file, for processes that tests start. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { smallPipeline } from './runtime/small-world.ts'

/** Writes the small world's configuration, and its runbook, into a folder. @returns the path */
export async function writeConfig(
  folder: string,
  file: string,
  options: {
    prefix: string
    schema: string
    respond?: object
    detect?: object
    /** Not at all, for as long as a test runs, where absent: what is declared idle depends on the wall clock. */
    idleAfter?: string
    replicationFactor?: number
  },
): Promise<string> {
  const { sources, detect, respond } = smallPipeline()
  const { calibration: _none, ...ofDetect } = detect // of a file it is a path
  const { prefix, schema, idleAfter = '1h', replicationFactor } = options
  const runbooks = await Promise.all(
    respond.runbooks.map(async (runbook) => {
      const name = `${runbook.name}.yaml`
      await writeFile(join(folder, name), stringify(runbook))
      return name
    }),
  )
  const text = stringify({
    sources: sources.map((source) => ({ ...source, topic: `${prefix}${source.topic}`, idleAfter })),
    detect: { ...ofDetect, ...options.detect },
    respond: { ...respond, ...options.respond, runbooks },
    topics: {
      prefix,
      partitions: { panes: 2, casefile: 2 },
      ...(replicationFactor === undefined ? {} : { replicationFactor }),
    },
    database: { schema },
    http: { port: 0 },
    log: { format: 'json', level: 'info' },
    stateFolder: join(folder, 'state'),
  })
  const path = join(folder, file)
  await writeFile(path, text)
  return path
}
