/**
 * Memory and cost by entities, ingest, detect and respond in memory: a process for each number of entities.
 *
 *   npx tsx bench/entities/run.ts [--entities 1000,10000] [--panes 60]
 *
 * Every entity has ten events in each pane of 10 s. Heap and typed arrays are read after a full collection at each quarter
 * of the run; the slope is between the second and the last of them, when the first windows are there.
 */
import { parseArgs } from 'node:util'
import { measure, script } from '../harness/child.ts'

interface Outcome {
  readonly heapMb: readonly number[]
}

const { values } = parseArgs({
  options: {
    entities: { type: 'string', default: '1000,10000' },
    panes: { type: 'string', default: '60' },
  },
})
console.log(
  '| entities | records | CPU µs a record | MB after 1/4, 2/4, 3/4, 4/4 | KB an entity | MB an hour of event time |',
)
console.log('| --- | --- | --- | --- | --- | --- |')
for (const entities of values.entities.split(',')) {
  const command = script(new URL('work.ts', import.meta.url), [entities, values.panes])
  const args = ['--expose-gc', '--max-old-space-size=8192', ...command.args]
  const { records, cpuUs, outcome } = await measure({ ...command, args })
  const { heapMb } = outcome as unknown as Outcome
  const [, second, , last] = heapMb as [number, number, number, number]
  const hours = (Number(values.panes) * 10) / 3_600
  const cells = [
    entities,
    records,
    (cpuUs / records).toFixed(2),
    heapMb.map((mb) => mb.toFixed(0)).join(', '),
    ((last * 1024) / Number(entities)).toFixed(1),
    ((last - second) / (hours / 2)).toFixed(0),
  ]
  console.log(`| ${cells.join(' | ')} |`)
}
