/** The keys that may sign decisions, as the log of each partition of `casefile` declares them. */
import type { Kafka } from 'kafkajs'
import { keyDeclaration } from '../../contract/case.ts'
import { decodeJson } from '../../contract/encoding.ts'
import { incarnation } from '../../contract/pane.ts'
import { brokerTopic } from '../../contract/topics.ts'
import { SentinelError } from '../../errors.ts'
import { firstKeys, withDeclared } from '../../respond/keys.ts'
import type { Keys } from '../../respond/state.ts'
import { readRanges } from './reader.ts'
import { rangesIfThere, withAdmin } from './topics.ts'

/**
 * Reads `casefile` from its beginning, and judges declarations as respond does.
 *
 * @returns the keys of each partition, by its number
 * @throws NOT_FOUND where there is no such topic, or where its first records are gone
 */
export async function declaredKeys(kafka: Kafka, prefix: string): Promise<Keys[]> {
  const topic = brokerTopic('casefile', prefix)
  const ranges = await withAdmin(kafka, (admin) => rangesIfThere(admin, topic))
  if (ranges === null) {
    const text = `There is no topic ${topic}, or it may not be described. Does topics.prefix name what the worker runs under? Its first start makes it.`
    throw new SentinelError('NOT_FOUND', text)
  }
  if (ranges.some(({ low, high }) => low > 0 || high === 0)) {
    throw new SentinelError(
      'NOT_FOUND',
      `The first records of ${topic} are not there, so its keys cannot be told. Where no worker has run yet, start one.`,
    )
  }
  const keys: Keys[] = ranges.map(() => ({}))
  const read = ranges.map(({ high }, partition) => ({ topic, partition, from: 0, to: high }))
  await readRanges(kafka, read, ({ partition, offset, value }) => {
    keys[partition] = after(keys[partition]!, { offset, value })
  })
  return keys
}

function after(keys: Keys, { offset, value }: { offset: number; value: Uint8Array | null }): Keys {
  // findings are most of the topic: they are not parsed
  if (value === null || (offset > 0 && !Buffer.from(value).includes('"key-declaration"'))) return keys
  let body: unknown
  try {
    body = decodeJson(value)
  } catch {
    return keys
  }
  const first = offset === 0 ? incarnation.safeParse(body) : undefined
  if (first?.success) return firstKeys(first.data.publicKeys)
  const declaration = keyDeclaration.safeParse(body)
  const declared = declaration.success ? withDeclared(keys, declaration.data) : null
  return declared !== null && 'keys' in declared ? declared.keys : keys
}

/** Whether decisions that a key signs count in every partition. */
export function isValidEverywhere(keys: readonly Keys[], keyId: string): boolean {
  return keys.length > 0 && keys.every((known) => Object.hasOwn(known, keyId) && !known[keyId]!.revoked)
}
