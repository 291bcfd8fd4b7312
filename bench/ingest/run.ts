/**
 * Ingest (decode, fold, close, emit) against a bare KafkaJS loop that only parses.
 *
 *   npx tsx bench/ingest/run.ts [--records 1000000] [--rounds 4] [--with-parts]
 *
 * A real broker, a topic filled by Java's producer, a process for each run, in the order A B B A. Before anything is
 * measured, the panes that ingest sends are compared with what a plain loop over parsed records counts: each closed one has
 * to be there once, and none besides, with equal moments, histograms and categories. The sample of rows is not compared.
 */
import { parseArgs } from 'node:util'
import { measure, script } from '../harness/child.ts'
import { type Contestant, interleave, table } from '../harness/pairs.ts'
import { freshPrefix } from '../harness/plan.ts'
import { prefilled } from '../harness/prefilled.ts'
import { deleteOwnTopics } from '../harness/topic.ts'
import { comparePanes } from './compare.ts'

const { values } = parseArgs({
  options: {
    records: { type: 'string', default: '1000000' },
    rounds: { type: 'string', default: '4' },
    'with-parts': { type: 'boolean', default: false },
  },
})
const records = Number(values.records)
const { kafka, topic, given } = await prefilled(records)

const read = (mode: string) => script(new URL('read.ts', import.meta.url), [...given, mode])
const work = (prefix: string) => script(new URL('work.ts', import.meta.url), [...given, prefix])

const compared = freshPrefix()
const { outcome } = await measure(work(compared))
console.log(`positions: ${JSON.stringify(outcome)}`)
console.log(await comparePanes(kafka, { topic, records, prefix: compared }))

const parts: Contestant[] = values['with-parts']
  ? [
      { name: 'fetch alone', command: () => read('fetch') },
      { name: 'fetch and toString', command: () => read('text') },
    ]
  : []
const runs = await interleave(
  [
    { name: 'bare JSON.parse loop', command: () => read('parse') },
    { name: 'ingest', command: () => work(freshPrefix()) },
    ...parts,
  ],
  Number(values.rounds),
)
console.log(`\n${records} records, 4 partitions, ${values.rounds} rounds\n\n${table(runs)}`)
await deleteOwnTopics(kafka)
process.exit(0)
