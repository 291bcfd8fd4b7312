/**
 * The same windowed aggregation (10 s for each entity; count, mean, variance, extremes of 4 numbers, counts of a category)
 * by peers and by ingest, in records a CPU second.
 *
 *   npx tsx bench/peers/run.ts [--records 1000000] [--rounds 2]
 *
 * Ingest does more: histograms, a sample of rows, and it sends its panes. Python's peer also updates River's ADWIN with the
 * means of each window; Kafka Streams does not. What is needed is installed under the cache, once: a Python environment
 * with `requirements.txt`, and Kafka Streams by Maven. All read the same topic. Plain Python's windows are those of the
 * whole topic, the others' those of each partition, to be merged: rows and closed windows are printed first.
 */
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type Command, measure, script } from '../harness/child.ts'
import { interleave, table } from '../harness/pairs.ts'
import { freshPrefix } from '../harness/plan.ts'
import { prefilled } from '../harness/prefilled.ts'
import { deleteOwnTopics } from '../harness/topic.ts'

const { values } = parseArgs({
  options: { records: { type: 'string', default: '1000000' }, rounds: { type: 'string', default: '2' } },
})
const records = Number(values.records)
const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'sentinel-stream', 'bench')
const here = (name: string) => fileURLToPath(new URL(name, import.meta.url))

/** @returns the interpreter of an environment that holds the peers' requirements */
function python(): string {
  const interpreter = join(cache, 'venv', 'bin', 'python')
  if (!existsSync(interpreter)) {
    mkdirSync(cache, { recursive: true })
    execFileSync('python3', ['-m', 'venv', join(cache, 'venv')], { stdio: 'inherit' })
  }
  execFileSync(
    interpreter,
    ['-m', 'pip', 'install', '-q', '--disable-pip-version-check', '-r', here('requirements.txt')],
    {
      stdio: ['ignore', 'ignore', 'inherit'],
    },
  )
  return interpreter
}

/** @returns the class path of the compiled program and of Kafka Streams */
function kafkaStreams(): string {
  const folder = join(cache, 'kafka-streams')
  const project = join(folder, 'project')
  cpSync(here('kafka-streams'), project, { recursive: true })
  const copy = 'org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies'
  execFileSync('mvn', ['-B', '-q', '-f', join(project, 'pom.xml'), 'compile', copy, `-DoutputDirectory=${folder}`], {
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  return `${join(project, 'target', 'classes')}:${folder}/*`
}

const { kafka, given } = await prefilled(records)
const interpreter = python()
const classPath = kafkaStreams()
const ingest = (): Command => script(new URL('../ingest/work.ts', import.meta.url), [...given, freshPrefix()])
const plain = (): Command => ({ command: interpreter, args: [here('plain.py'), ...given] })
const streams = (): Command => ({ command: 'java', args: ['-Xmx1g', '-cp', classPath, 'bench.Windows', ...given] })

for (const [name, command] of [
  ['plain Python', plain],
  ['Kafka Streams', streams],
] as const)
  console.log(`${name}: ${JSON.stringify((await measure(command())).outcome)}`)
const runs = await interleave(
  [
    { name: 'ingest', command: ingest },
    { name: 'Kafka Streams 4.3.1, in memory', command: streams },
    { name: 'confluent-kafka, orjson, River', command: plain },
  ],
  Number(values.rounds),
)
console.log(`\n${records} records, 4 partitions, ${values.rounds} rounds\n\n${table(runs)}`)
await deleteOwnTopics(kafka)
process.exit(0)
