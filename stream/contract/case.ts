import { z } from 'zod'
import { encode } from './encoding.ts'
import { finding } from './finding.ts'
import { configurationSwitch, incarnation } from './pane.ts'
import { name, nonNegativeInteger, recordId, timeMs } from './primitives.ts'

/** The watermark of one detect task: it emits no finding at or before it any more. To every partition of `casefile`. */
export const taskWatermark = z.strictObject({
  type: z.literal('task-watermark'),
  task: nonNegativeInteger,
  taskCount: z.int().min(1),
  watermarkMs: timeMs,
})
export type TaskWatermark = z.infer<typeof taskWatermark>

/** What a person decided, signed by the API that verified the person. The signature covers all but itself. */
export const decision = z.strictObject({
  type: z.literal('decision'),
  id: recordId,
  tenant: name,
  incidentId: recordId,
  commandId: recordId,
  /** `digestOf` the exact proposal that the person saw. */
  proposalDigest: z.string().regex(/^[0-9a-f]{64}$/),
  decision: z.enum(['approve', 'reject']),
  principal: name,
  reason: z.string().max(1000).optional(),
  /** After this wall-clock time (append time of the record) the decision is void. */
  expiresMs: timeMs,
  keyId: z.string(),
  /** Ed25519 over the canonical encoding of every other member, base64. */
  signature: z.string(),
})
export type Decision = z.infer<typeof decision>

/** States that an executor reports; terminal ones are `succeeded`, `failed` and `refused`. */
export const resultState = z.enum(['accepted', 'succeeded', 'failed', 'refused'])
export type ResultState = z.infer<typeof resultState>

/** What executors write to `command-results`, key: command id. */
export const commandResult = z.strictObject({
  type: z.literal('command-result'),
  tenant: name,
  commandId: recordId,
  state: resultState,
  executor: name,
  detail: z.string().max(1000).optional(),
})
export type CommandResult = z.infer<typeof commandResult>

/** The wall clock, as a record: its time is the append time that the log gives it. Only while something waits. */
export const tick = z.strictObject({ type: z.literal('tick') })

/** Declares a key that may sign decisions from here on, signed by one that is valid already. */
export const keyDeclaration = z.strictObject({
  type: z.literal('key-declaration'),
  keyId: z.string(),
  spki: z.string(),
  revoke: z.array(z.string()),
  signedBy: z.string(),
  signature: z.string(),
})
export type KeyDeclaration = z.infer<typeof keyDeclaration>

/** What a language model added to an incident. It only annotates. */
export const annotation = z.strictObject({
  type: z.literal('annotation'),
  id: recordId,
  tenant: name,
  incidentId: recordId,
  text: z.string().max(10_000),
  author: name,
})

/** Every record on `casefile`. */
export const casefileRecord = z.discriminatedUnion('type', [
  finding,
  taskWatermark,
  decision,
  commandResult,
  tick,
  keyDeclaration,
  annotation,
  configurationSwitch,
  incarnation,
])
export type CasefileRecord = z.infer<typeof casefileRecord>

/** Members of a signed record that its signature covers: all but itself. */
export function signedPart<T extends { readonly signature: string }>(record: T): Omit<T, 'signature'> {
  const { signature: _, ...rest } = record
  return rest
}

/** The bytes that a signer signs and a reader verifies: the canonical encoding of {@link signedPart}. */
export function signingBytes(record: { readonly signature: string }): Uint8Array {
  return encode(signedPart(record))
}
