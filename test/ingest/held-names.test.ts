/** What a task keeps of records with long names: 256 code units, and nothing of the text that they were cut from. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { type SourceFormat, sourceConfig } from '../../stream/contract/configuration.ts'
import { createIngestTask } from '../../stream/ingest/ingest.ts'
import { BASE_MS } from './schedule.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

function heldBytes(): number {
  // shapes of parsed objects, with the names of their members, outlive two collections
  for (let round = 0; round < 4; round++) collect()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

/** Bytes that one task holds of so many records more, all of which it folds. */
function heldOf(format: SourceFormat, records: number, value: (index: number) => string): number {
  const source = sourceConfig.parse({ name: 'source', format })
  const of = { source, partition: 0, partitionCount: 1, digest: 'd', startOffset: 0, committed: null }
  const task = createIngestTask(of)
  const take = (offset: number): void => {
    const bytes = Buffer.from(value(offset))
    const record = { topic: 't', partition: 0, offset, timestampMs: BASE_MS, key: null, value: bytes, headers: {} }
    if (task.stepQuietly?.(record) !== true) for (const _ of task.step(record));
  }
  take(0)
  const before = heldBytes()
  for (let offset = 1; offset <= records; offset++) take(offset)
  const held = heldBytes() - before
  expect(task.counts).toMatchObject({ accepted: records + 1 })
  expect(task.openPanes).toBeGreaterThan(0)
  return held
}

const long = 'x'.repeat(1_000_000)
const time = `"time":${BASE_MS}`

/** Values of one source, each with another name. */
const values: readonly [string, SourceFormat, (index: number) => string][] = [
  ['services, read from bytes', 'json-log', (i) => `{${time},"service":"${i}${long}"}`],
  ['services, parsed', 'json-log', (i) => `{${time},"service":"\\u0041${i}${long}"}`],
  ['services that begin with what cannot be held', 'json-log', (i) => `{${time},"service":"\\u0000${i}${long}"}`],
  ['members that nobody reads', 'json-log', (i) => `{"a${i}${long}":0,"service":"s",${time}}`],
  ['metrics', 'metric', (i) => `{${time},"name":"${i}${long}","value":1}`],
  ['entities', 'metric', (i) => `{${time},"name":"a","entity":"${i}${long}","value":1}`],
  ['labels', 'metric', (i) => `{${time},"name":"a","labels":{"b":"${i}${long}"},"value":1}`],
  ['models', 'prediction', (i) => `{${time},"model":"${i}${long}${i}","version":"1","features":{"a":1}}`],
  ['features', 'prediction', (i) => `{${time},"model":"a","version":"1","features":{"${i}${long}":1}}`],
  [
    'categories, read from bytes',
    'prediction',
    (i) => `{${time},"model":"a","version":"1","features":{"a":"${i}${long}"}}`,
  ],
  ['categories, parsed', 'prediction', (i) => `{${time},"model":"a","version":1.5,"features":{"a":"${i}${long}"}}`],
]

describe('of names of a megabyte a task keeps their beginning:', () => {
  it.each(values)('%s', (_, format, value) => expect(heldOf(format, 12, value)).toBeLessThan(6_000_000), 60_000)
})

it('of lines of which a name is a part a task keeps the name', () => {
  const message = long.slice(0, 8_000)
  const line = (index: number) => `<11>1 - host-${index % 10}.example application-${index} - - - ${message}`
  expect(heldOf('syslog', 2_000, line)).toBeLessThan(9_000_000)
}, 60_000)
