/**
 * Records a second into the store: the inserts of the sink (an array for each column, unnested) against COPY.
 *
 *   npx tsx bench/sink/run.ts [--records 5000] [--batches 100,1000,5000] [--rounds 1]
 *
 * Measurements of models, as detect writes them: a row in `measurements` with the document, one for each of its features
 * and the volume in `measurement_features`, the newest in `entities`. Each batch is one transaction; the sink takes 1,000 records at most in
 * one, and fewer where it keeps up. COPY knows no `on conflict`, so what may not be stored twice is copied into a temporary
 * table and inserted from there; "straight" goes without, and is only what could be had at most. "The whole sink" also
 * checks each record against its contract and keeps the offset.
 *
 * CPU is that of the process which stores, records/s are those of process and server together. The contents of all tables
 * are compared after each run, by digests, and a difference ends it.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { migrate } from '../../stream/io/postgres/migrate.ts'
import { script } from '../harness/child.ts'
import { provideDatabase } from '../harness/database.ts'
import { interleave, table } from '../harness/pairs.ts'
import { measurements } from './measurements.ts'

const { values } = parseArgs({
  options: {
    records: { type: 'string', default: '5000' },
    batches: { type: 'string', default: '100,1000,5000' },
    rounds: { type: 'string', default: '1' },
  },
})
const ways = {
  unnest: 'unnest, as the sink',
  'copy-text': 'COPY text, staged',
  'copy-binary': 'COPY binary, staged',
  'copy-straight': 'COPY binary, straight',
  sink: 'the whole sink',
}

const database = await provideDatabase()
const folder = await mkdtemp(join(tmpdir(), 'sentinel-bench-'))
try {
  await migrate(database.pool, { schema: database.schema })
  const file = join(folder, 'measurements.ndjson')
  const lines = measurements(Number(values.records))
  await writeFile(file, lines.join('\n'))
  const bytes = lines.reduce((sum, line) => sum + Buffer.byteLength(line), 0) / lines.length
  console.log(`${values.records} measurements of ${bytes.toFixed(0)} bytes, ${values.rounds} rounds`)
  const tables: string[] = []
  const digests = new Set<string>()
  for (const batch of values.batches.split(',')) {
    const contestants = Object.entries(ways).map(([way, name]) => ({
      name,
      command: () => script(new URL('work.ts', import.meta.url), [database.url, database.schema, file, batch, way]),
    }))
    const runs = await interleave(contestants, Number(values.rounds))
    for (const { costs } of runs) for (const { outcome } of costs) digests.add(JSON.stringify(outcome))
    if (digests.size > 1) throw new Error(`the tables differ: ${[...digests].join('\n')}`)
    tables.push(`batches of ${batch}\n\n${table(runs)}`)
  }
  console.log(`equal: ${[...digests][0]}\n\n${tables.join('\n\n')}`)
} finally {
  await rm(folder, { recursive: true, force: true })
  await database.end()
}
process.exit(0)
