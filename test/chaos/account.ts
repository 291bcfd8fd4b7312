/**
 * Whether what was put in is there, and has come to something. The comparison with an undisturbed run alone cannot see it:
 * a source record that worker and judge both pass over is missed by neither, and a result that never came to `casefile` is
 * no answer to either.
 */
import { isDeepStrictEqual } from 'node:util'
import { decodeJson } from '../../stream/contract/encoding.ts'
import { idOf } from '../../stream/contract/id.ts'
import type { AuditEntry } from '../../stream/contract/incident.ts'
import type { LogRecord } from '../../stream/contract/stage.ts'
import type { StockPartition } from './stock-reader.ts'

/** What the broker has acknowledged to the harness. */
export interface Given {
  /** Source records (count), by `topic/partition`. */
  readonly sent: ReadonlyMap<string, number>
  /** Ids of decisions. */
  readonly decisions: ReadonlySet<string>
  /** Commands that a result was sent of. */
  readonly results: ReadonlySet<string>
}

/** What the topics hold. */
export interface Held {
  readonly sources: readonly StockPartition[]
  readonly commandResults: readonly LogRecord[]
  readonly casefile: readonly LogRecord[]
  readonly audit: readonly LogRecord[]
}

/** @returns a line for each partition, result and decision that is not all there, or came to nothing */
export function unaccounted(given: Given, held: Held): string[] {
  return [...lostFromSources(given, held), ...lostAnswers(given, held), ...unnamedAnswers(held)]
}

/** The harness made these topics: each partition begins at 0, and nothing is taken from it. */
function lostFromSources({ sent }: Given, { sources }: Held): string[] {
  const lines: string[] = []
  const read = new Map(sources.map((one) => [`${one.topic}/${one.partition}`, one]))
  for (const [at, count] of sent) {
    const there = read.get(at)?.records.length ?? 0
    if (there < count) lines.push(`lost: ${at} holds ${there} records, ${count} were acknowledged`)
  }
  for (const [at, { low, high, records }] of read) {
    if (low !== 0) lines.push(`lost: ${at} begins at offset ${low}`)
    const gap = records.findIndex(({ offset }, index) => offset !== low + index)
    if (gap >= 0) lines.push(`lost: ${at} has offset ${records[gap]!.offset} where ${low + gap} was to come`)
    else if (low + records.length !== high) lines.push(`lost: ${at} ends at ${high}, read to ${low + records.length}`)
  }
  return lines
}

function lostAnswers(given: Given, { commandResults, casefile }: Held): string[] {
  const lines: string[] = []
  const onCasefile = new Map(casefile.map(({ headers, value }) => [headers['ce_id'] ?? '', value]))
  const reported = new Set(commandResults.map(({ value }) => bodyOf(value)['commandId']))
  for (const id of given.results) {
    if (!reported.has(id)) lines.push(`lost: the result of command ${id} is not on command-results`)
  }
  for (const { partition, offset, value } of commandResults) {
    const carried = onCasefile.get(idOf('command-result', partition, offset))
    const at = `the result at command-results/${partition} ${offset}`
    if (carried === undefined) lines.push(`lost: ${at} is not on casefile`)
    else if (!isDeepStrictEqual(bodyOf(carried), bodyOf(value))) lines.push(`different: ${at} is another on casefile`)
  }
  for (const id of given.decisions) if (!onCasefile.has(id)) lines.push(`lost: decision ${id} is not on casefile`)
  return lines
}

const answerTypes = new Set(['sentinel.decision.v1', 'sentinel.command-result.v1'])

/** Applied or refused, respond writes down what it made of each decision and result, a repeated one too. */
function unnamedAnswers({ casefile, audit }: Held): string[] {
  const named = new Set<string>()
  for (const { value } of audit) {
    const { cause } = decodeJson(value!) as AuditEntry
    if (cause.offset !== null) named.add(`${cause.partition}/${cause.offset}`)
  }
  return casefile
    .filter(({ headers }) => answerTypes.has(headers['ce_type'] ?? ''))
    .filter(({ partition, offset }) => !named.has(`${partition}/${offset}`))
    .map(({ partition, offset, headers }) => {
      return `no audit entry names casefile/${partition} ${offset}: ${headers['ce_type']} ${headers['ce_id']}`
    })
}

function bodyOf(value: Uint8Array | null): Readonly<Record<string, unknown>> {
  return value === null ? {} : (decodeJson(value) as Readonly<Record<string, unknown>>)
}
