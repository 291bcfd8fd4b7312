/**
 * What a format is: bytes and the record's timestamp in, observations out. Bad data is a {@link Rejected}, never an
 * exception. This is the hot path of the whole product: decoders read the members they know and copy nothing else.
 */
import type { SourceFormat } from '../../contract/configuration.ts'
import type { RejectionCode } from '../../contract/ingest-records.ts'

/** Why a record is not folded. The reason is fixed text: it is part of a record whose bytes must repeat. */
export interface Rejected {
  readonly code: RejectionCode
  readonly reason: string
}

/** A number, a category, or something that was there and was neither. */
export type Scalar = number | string | null

/** One log line of a service. `timeMs` is the completion of what it tells of; `undefined` means that it does not say. */
export interface ServiceObservation {
  readonly kind: 'service'
  readonly timeMs: number
  /** undefined where the line does not say whose it is: it counts for its source. */
  readonly service: string | undefined
  /** As written; numbers as Bunyan and Pino count them (50 is error, 60 fatal). */
  readonly level: string | number | undefined
  readonly message: string | undefined
  /** Milliseconds; null when there was something that is no duration. */
  readonly durationMs: number | null | undefined
  /** 100 … 599. */
  readonly statusCode: number | undefined
  readonly traceId: string | undefined
}

export interface MetricObservation {
  readonly kind: 'metric'
  readonly timeMs: number
  readonly name: string
  readonly value: number | null
  readonly entity: string | undefined
  /** Label and value in turn, in code-unit order of the labels. */
  readonly labels: readonly (readonly [string, string])[]
}

export interface ModelObservation {
  readonly kind: 'model'
  readonly timeMs: number
  readonly model: string
  readonly version: string
  readonly segment: string | undefined
  readonly featureNames: readonly string[]
  readonly featureValues: readonly Scalar[]
  readonly prediction: Scalar | undefined
  readonly score: number | null | undefined
  /** Absent where the event names no prediction. */
  readonly outcome?: { readonly kind: 'prediction' | 'label'; readonly predictionId: string }
}

export interface TextObservation {
  readonly kind: 'text'
  readonly timeMs: number
  readonly line: string
}

export type Observation = ServiceObservation | MetricObservation | ModelObservation | TextObservation

export interface Decoder {
  readonly format: SourceFormat
  /**
   * @param value             the record's value; null is a tombstone
   * @param recordTimestampMs the time that the log gives the record
   * @returns observations (none, where a record is as it should be and says nothing that is measured), or why it is rejected
   */
  decode(value: Uint8Array | null, recordTimestampMs: number): readonly Observation[] | Rejected
  /**
   * The same from a value that is parsed already: what a schema of the registry gave, or one that was looked at to find
   * its format. Absent for formats that are not JSON.
   */
  read?(json: unknown, recordTimestampMs: number): readonly Observation[] | Rejected
}

export function isRejected(result: readonly Observation[] | Rejected): result is Rejected {
  return !Array.isArray(result)
}
