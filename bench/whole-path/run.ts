/**
 * The whole path, ingest, detect and respond in one process, beside ingest alone and the bare loop, on the same input.
 *
 *   npx tsx bench/whole-path/run.ts [--records 1000000] [--rounds 2]
 */
import { parseArgs } from 'node:util'
import { script } from '../harness/child.ts'
import { interleave, table } from '../harness/pairs.ts'
import { freshPrefix } from '../harness/plan.ts'
import { prefilled } from '../harness/prefilled.ts'
import { deleteOwnTopics } from '../harness/topic.ts'

const { values } = parseArgs({
  options: { records: { type: 'string', default: '1000000' }, rounds: { type: 'string', default: '2' } },
})
const records = Number(values.records)
const { kafka, given } = await prefilled(records)
const work = (...extent: string[]) =>
  script(new URL('../ingest/work.ts', import.meta.url), [...given, freshPrefix(), ...extent])
const read = () => script(new URL('../ingest/read.ts', import.meta.url), [...given, 'parse'])
const runs = await interleave(
  [
    { name: 'bare JSON.parse loop', command: read },
    { name: 'ingest', command: () => work() },
    { name: 'ingest, detect, respond', command: () => work('whole') },
  ],
  Number(values.rounds),
)
console.log(`\n${records} records, 4 partitions, ${values.rounds} rounds\n\n${table(runs)}`)
await deleteOwnTopics(kafka)
process.exit(0)
