import { z } from 'zod'
import { finite, name, nonNegativeInteger, recordId, timeMs } from './primitives.ts'

/** Where an input record was read. `source` is its logical name in the configuration. */
export const origin = z.strictObject({ source: name, partition: nonNegativeInteger, offset: nonNegativeInteger })
export type Origin = z.infer<typeof origin>

/** Why a record was not folded. `late` is counted, never dead-lettered. */
export const rejectionCode = z.enum(['undecodable', 'invalid', 'too-large', 'skewed'])
export type RejectionCode = z.infer<typeof rejectionCode>

/** On `dead-letters`, key: as read. One for each rejected record; may repeat after a crash, under the same `ce_id`. */
export const deadLetter = z.strictObject({
  type: z.literal('dead-letter'),
  id: recordId,
  origin,
  code: rejectionCode,
  reason: z.string().max(500),
  /** The record's value as read, base64, cut after 256 KiB; null for a tombstone. */
  value: z.string().nullable(),
  /** Bytes of the value as read. */
  valueBytes: nonNegativeInteger,
})
export type DeadLetter = z.infer<typeof deadLetter>

/** On `classifications`, key: tenant/entity. */
export const classification = z.strictObject({
  type: z.literal('classification'),
  id: recordId,
  tenant: name,
  entity: name,
  origin,
  timeMs,
  template: z.string(),
  label: name,
  confidence: finite.min(0).max(1),
})
