/**
 * The same windowed aggregation (10 s for each entity; count, mean, variance, extremes of 4 numbers, counts of a category)
 * by peers and by ingest, in records a CPU second.
 *
 *   npx tsx bench/peers/run.ts [--records 1000000] [--framework-records 250000] [--rounds 1]
 *
 * Ingest does more: histograms, a sample of rows, and it sends its panes. Python's peers also update River's ADWIN with the
 * means of each window; Kafka Streams does not. What is needed is installed under the cache, once: a Python environment
 * with `requirements.txt`, and Kafka Streams by Maven.
 *
 * Python's frameworks take so long that they get a shorter topic of the same events. All peers read that one first, and
 * their outputs are compared: rows of all, and closed windows of those that keep them for each partition, to be merged
 * (plain Python has them for the whole topic; they are printed). A difference ends the run.
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
  options: {
    records: { type: 'string', default: '1000000' },
    'framework-records': { type: 'string', default: '250000' },
    rounds: { type: 'string', default: '1' },
  },
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
const { given: givenShort } = await prefilled(Number(values['framework-records']))
const interpreter = python()
const classPath = kafkaStreams()
type Given = typeof given
const ingest = (): Command => script(new URL('../ingest/work.ts', import.meta.url), [...given, freshPrefix()])
const byPython =
  (file: string) =>
  (from: Given): Command => ({
    command: interpreter,
    args: [here(file), ...from],
    env: { PYTHONWARNINGS: 'ignore' },
  })
const plain = byPython('plain.py')
const quix = byPython('quix.py')
const faust = byPython('faust_windows.py')
const streams = (from: Given): Command => ({
  command: 'java',
  args: ['-Xmx1g', '-cp', classPath, 'bench.Windows', ...from],
})

interface Outcome {
  readonly rows: number
  readonly windows: number
}

/** @throws where peers do not come to the same */
async function compareOutcomes(): Promise<void> {
  const found: [name: string, outcome: Outcome][] = []
  for (const [name, command] of Object.entries({ plain, streams, quix, faust })) {
    const { outcome } = await measure(command(givenShort))
    console.log(`${name}: ${JSON.stringify(outcome)}`)
    found.push([name, outcome as unknown as Outcome])
  }
  const rows = new Set(found.map(([, outcome]) => outcome.rows))
  const windows = new Set(found.flatMap(([name, outcome]) => (name === 'plain' ? [] : outcome.windows)))
  if (rows.size !== 1 || windows.size !== 1 || windows.has(0)) throw new Error('the peers do not come to the same')
  console.log('equal: rows of all, windows of all that keep them for each partition')
}

await compareOutcomes()
const runs = await interleave(
  [
    { name: 'ingest', command: ingest },
    { name: 'Kafka Streams 4.3.1, in memory', command: () => streams(given) },
    { name: 'confluent-kafka, orjson, River', command: () => plain(given) },
    { name: 'Quix Streams 3.28.1, River', command: () => quix(givenShort) },
    { name: 'Faust 0.15.3 without a table, River', command: () => faust(givenShort) },
  ],
  Number(values.rounds),
)
console.log(
  `\n${records} records (Quix and Faust: ${values['framework-records']}), 4 partitions, ${values.rounds} rounds\n\n${table(runs)}`,
)
await deleteOwnTopics(kafka)
process.exit(0)
