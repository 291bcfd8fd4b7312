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
 * Python's frameworks take so long that they get a shorter topic of the same events. All read that one first: rows, and
 * every closed window of each partition and entity (rows, count, mean, sum of squares and extremes of each number, counts
 * of the category) are compared with what a plain loop counts. A difference ends the run, as do too few records.
 */
import { execFileSync } from 'node:child_process'
import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type Command, measure, script } from '../harness/child.ts'
import { interleave, table } from '../harness/pairs.ts'
import { countPlainly } from '../harness/plain-count.ts'
import { freshPrefix } from '../harness/plan.ts'
import { prefilled } from '../harness/prefilled.ts'
import { benchCache, python } from '../harness/python.ts'
import { deleteOwnTopics } from '../harness/topic.ts'
import { comparePanes } from '../ingest/compare.ts'
import { comparePeers } from './compare.ts'

const { values } = parseArgs({
  options: {
    records: { type: 'string', default: '1000000' },
    'framework-records': { type: 'string', default: '250000' },
    rounds: { type: 'string', default: '1' },
  },
})
const records = Number(values.records)
const here = (name: string) => fileURLToPath(new URL(name, import.meta.url))

/** @returns the class path of the compiled program and of Kafka Streams */
function kafkaStreams(): string {
  const folder = join(benchCache, 'kafka-streams')
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
const interpreter = python({ name: 'venv', requirements: here('requirements.txt') })
const classPath = kafkaStreams()
type Given = typeof given
const ingest = (from: Given, prefix: string): Command =>
  script(new URL('../ingest/work.ts', import.meta.url), [...from, prefix])
const byPython =
  (file: string) =>
  (from: readonly string[]): Command => ({
    command: interpreter,
    args: [here(file), ...from],
    env: { PYTHONWARNINGS: 'ignore' },
  })
const plain = byPython('plain.py')
const quix = byPython('quix.py')
const faust = byPython('faust_windows.py')
const streams = (from: readonly string[]): Command => ({
  command: 'java',
  args: ['-Xmx1g', '-cp', classPath, 'bench.Windows', ...from],
})

const shortRecords = Number(values['framework-records'])
const count = await countPlainly(kafka, { topic: givenShort[1], records: shortRecords })
await comparePeers(count, { plain, streams, quix, faust }, givenShort)
const compared = freshPrefix()
await measure(ingest(givenShort, compared))
console.log(`ingest: ${await comparePanes(kafka, { topic: givenShort[1], records: shortRecords, prefix: compared })}`)
const runs = await interleave(
  [
    { name: 'ingest', command: () => ingest(given, freshPrefix()) },
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
