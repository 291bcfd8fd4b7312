/**
 * Memory and cost by entities, ingest, detect and respond in memory: a process for each number of entities.
 *
 *   npx tsx bench/entities/run.ts [--entities 1000,10000] [--records 200000 | --records-per-entity 20] [--minutes 6]
 *
 * The same number of records for each, spread evenly over the entities and over the minutes of event time; or the same
 * number for each entity, so that what an entity's panes and evaluations cost is shared by as many. Up to 100,000
 * entities are all followed; more are a flood of names, and meet the bounds that a configuration has by default. Heap and
 * typed arrays are read after a full collection at each quarter of the run; resident memory is the highest of the process.
 */
import { parseArgs } from 'node:util'
import { measure, script } from '../harness/child.ts'

interface Outcome {
  readonly memoryMb: readonly number[]
  readonly followed: number
  readonly folded: number
  readonly leftOut: number
}

const { values } = parseArgs({
  options: {
    entities: { type: 'string', default: '1000,10000,100000,1000000' },
    records: { type: 'string', default: '200000' },
    'records-per-entity': { type: 'string' },
    minutes: { type: 'string', default: '6' },
  },
})
const head = [
  ...['entities', 'records', 'CPU µs a record', 'followed', 'rows folded into (other)', 'panes not judged'],
  ...['MB after 1/4, 2/4, 3/4, 4/4', 'KB a followed entity', 'resident MB at most', 's'],
]
print(head)
print(head.map(() => '---'))
for (const entities of values.entities.split(',')) {
  const perEntity = values['records-per-entity']
  const total = perEntity === undefined ? Number(values.records) : Number(perEntity) * Number(entities)
  const records = String(Math.max(total, Number(entities)))
  const command = script(new URL('work.ts', import.meta.url), [entities, records, values.minutes])
  const args = ['--expose-gc', '--max-old-space-size=8192', ...command.args]
  const cost = await measure({ ...command, args })
  const { memoryMb, followed, folded, leftOut } = cost.outcome as unknown as Outcome
  print([
    ...[entities, cost.records, (cost.cpuUs / cost.records).toFixed(2), followed, folded, leftOut],
    memoryMb.map((mb) => mb.toFixed(0)).join(', '),
    ((memoryMb.at(-1)! * 1024) / followed).toFixed(1),
    cost.rssMb.toFixed(0),
    (cost.wallMs / 1000).toFixed(0),
  ])
}

function print(cells: readonly (string | number)[]): void {
  console.log(`| ${cells.join(' | ')} |`)
}
