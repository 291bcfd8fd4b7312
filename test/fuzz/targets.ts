/**
 * What is fuzzed: every decoder, and each stage as a whole. A target takes an input and throws where a promise is
 * broken: an exception, an answer that its schema refuses, a record lost in the count, an output past its bound.
 */
import fc from 'fast-check'
import { casefileRecord } from '../../stream/contract/case.ts'
import { sourceConfig, sourceFormat } from '../../stream/contract/configuration.ts'
import { encode } from '../../stream/contract/encoding.ts'
import { measurement } from '../../stream/contract/finding.ts'
import { auditEntry, command, incident } from '../../stream/contract/incident.ts'
import { deadLetter, rejectionCode } from '../../stream/contract/ingest-records.ts'
import { panesRecord } from '../../stream/contract/pane.ts'
import type { AskingStep, Emission, JudgingTask, LogRecord, Step } from '../../stream/contract/stage.ts'
import type { TopicName } from '../../stream/contract/topics.ts'
import { createDetectTask } from '../../stream/detect/detect.ts'
import { isRejected } from '../../stream/ingest/decode/decoder.ts'
import { decoders } from '../../stream/ingest/decode/registry.ts'
import { createIngestTask } from '../../stream/ingest/ingest.ts'
import { createRespondTask } from '../../stream/respond/respond.ts'
import { smallPipeline, startMs } from '../runtime/small-world.ts'
import { decoderCorpus, type WrittenRecord, writtenRecords } from './corpus.ts'
import { mutatedBytes, mutatedJson } from './mutation.ts'

export interface Target<I = unknown> {
  readonly name: string
  readonly inputs: fc.Arbitrary<I>
  /** How many inputs one run counts for. */
  readonly weigh: (input: I) => number
  /** @throws where a promise is broken */
  readonly check: (input: I) => void
}

const schemas: Partial<Record<TopicName, { parse(body: unknown): unknown }>> = {
  panes: panesRecord,
  casefile: casefileRecord,
  measurements: measurement,
  incidents: incident,
  commands: command,
  audit: auditEntry,
  'dead-letters': deadLetter,
}

/** A broker takes 1,048,588 bytes by default; headers, key and framing need a part of it. */
const recordBytesMax = 1_000_000

function checkEmission(emission: Emission): void {
  const schema = schemas[emission.topic]
  if (schema === undefined) throw new Error(`nothing is sent to ${emission.topic}`)
  schema.parse(emission.body)
  const bytes = encode(emission.body).byteLength
  if (bytes > recordBytesMax) throw new Error(`${emission.topic}: a record of ${bytes} bytes`)
}

const noSchema = { code: 'undecodable', reason: 'no registry is configured' } as const

/** Takes a step to its end. Here no registry answers. */
function drain(step: Step | AskingStep): Emission[] {
  const emissions: Emission[] = []
  let next = step.next()
  while (next.done !== true) {
    if (next.value !== null && 'topic' in next.value) emissions.push(next.value)
    next = step.next(next.value !== null && 'kind' in next.value ? noSchema : undefined)
  }
  for (const emission of emissions) checkEmission(emission)
  return emissions
}

const timestamps = fc.constantFrom(startMs, startMs + 60_000, -1, 0, 8.64e15, Number.MAX_SAFE_INTEGER)

function decoderTargets(corpus: readonly Uint8Array[]): Target<readonly [Uint8Array | null, number]>[] {
  const value = fc.oneof({ weight: 40, arbitrary: mutatedBytes(corpus) }, { weight: 1, arbitrary: fc.constant(null) })
  return sourceFormat.options.map((format) => ({
    name: `decode ${format}`,
    inputs: fc.tuple(value, timestamps),
    weigh: () => 1,
    check([bytes, timestampMs]) {
      const decoded = decoders[format].decode(bytes, timestampMs)
      if (isRejected(decoded)) {
        rejectionCode.parse(decoded.code)
        if (decoded.reason === '' || decoded.reason.length > 500) throw new Error(`a reason: ${decoded.reason}`)
        return
      }
      for (const { timeMs } of decoded) if (!Number.isSafeInteger(timeMs)) throw new Error(`a time of ${timeMs}`)
    },
  }))
}

type IngestInput = {
  readonly format: (typeof sourceFormat.options)[number]
  readonly values: readonly (Uint8Array | null)[]
}

/** A source partition: what comes in is accepted, rejected, late, skewed or still held, and nothing is both. */
function ingestTarget(corpus: readonly Uint8Array[]): Target<IngestInput> {
  const value = fc.oneof({ weight: 20, arbitrary: mutatedBytes(corpus) }, { weight: 1, arbitrary: fc.constant(null) })
  return {
    name: 'ingest',
    inputs: fc.record({
      format: fc.constantFrom(...sourceFormat.options),
      values: fc.array(value, { minLength: 1, maxLength: 20 }),
    }),
    weigh: ({ values }) => values.length,
    check({ format, values }) {
      const source = sourceConfig.parse({ name: 'fuzz', format, pane: '1s', lateness: '3s', skewAgreement: 2 })
      const task = createIngestTask({
        source,
        partition: 0,
        partitionCount: 1,
        digest: '0'.repeat(16),
        startOffset: 0,
        committed: null,
      })
      for (const emission of task.opening()) checkEmission(emission)
      const letters = new Set<string>()
      for (const [offset, bytes] of values.entries()) {
        const record = {
          topic: 'fuzz',
          partition: 0,
          offset,
          timestampMs: startMs,
          key: null,
          value: bytes,
          headers: {},
        }
        for (const { topic, id } of drain(task.step(record))) {
          if (topic !== 'dead-letters') continue
          if (letters.has(id)) throw new Error(`dead letter ${id} a second time`)
          letters.add(id)
        }
      }
      const { accepted, rejected, late, skewed } = task.counts
      const counted = accepted + rejected + late + skewed + task.held
      if (counted !== values.length) throw new Error(`${values.length} read, ${counted} counted`)
      if (letters.size !== rejected + skewed) throw new Error(`${rejected + skewed} rejected, ${letters.size} letters`)
      task.commitPoint()
    },
  }
}

type LogInput = readonly { readonly value: Uint8Array; readonly headers: Readonly<Record<string, string>> }[]

/** Runs of what is on one of our topics, in order, a few of them edited; some again, some left out. */
function editedLog(written: readonly WrittenRecord[]): fc.Arbitrary<LogInput> {
  const untouched = written.map(({ json, headers }) => ({ value: encode(json), headers }))
  const bodies = written.map(({ json }) => json)
  const edited = mutatedJson(bodies).map((value) => ({ value, headers: written[0]!.headers }))
  return fc
    .record({
      from: fc.nat(Math.max(0, untouched.length - 40)),
      count: fc.integer({ min: 1, max: 40 }),
      edits: fc.array(fc.tuple(fc.nat(40), edited), { maxLength: 6 }),
    })
    .map(({ from, count, edits }) => {
      const log = untouched.slice(from, from + count)
      for (const [at, record] of edits) log.splice(at % (log.length + 1), 0, record)
      return [untouched[0]!, ...log]
    })
}

/** A task over one of our own topics: whoever may write there can spoil results, but not end the process. */
function judgingTarget(
  name: string,
  topic: 'panes' | 'casefile',
  make: () => Pick<JudgingTask, 'step' | 'endOfBatch' | 'changes'>,
): Target<LogInput> {
  return {
    name,
    inputs: editedLog(writtenRecords(topic)),
    weigh: (log) => log.length,
    check(log) {
      const task = make()
      for (const [offset, { value, headers }] of log.entries()) {
        const record: LogRecord = {
          topic,
          partition: 0,
          offset,
          timestampMs: startMs + offset,
          key: null,
          value,
          headers,
        }
        drain(task.step(record))
      }
      for (const emission of task.endOfBatch()) checkEmission(emission)
      task.changes()
    },
  }
}

export function targets(): readonly Target<never>[] {
  const corpus = decoderCorpus()
  const { detect, respond, digests } = smallPipeline()
  const makeDetect = () =>
    createDetectTask({ config: detect, digest: digests.detect, task: 0, taskCount: 2, parts: null })
  const makeRespond = () =>
    createRespondTask({ config: respond, digest: digests.respond, partition: 0, owns: () => true, parts: null })
  return [
    ...decoderTargets(corpus),
    ingestTarget(corpus),
    judgingTarget('detect', 'panes', makeDetect),
    judgingTarget('respond', 'casefile', makeRespond),
  ] as unknown as readonly Target<never>[]
}
