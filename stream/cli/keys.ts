import { rename } from 'node:fs/promises'
import { join } from 'node:path'
import type { LoadedConfig } from '../config.ts'
import { type KeyDeclaration, signingBytes } from '../contract/case.ts'
import { idOf } from '../contract/id.ts'
import { SentinelError } from '../errors.ts'
import { resolveSigningKey, type SigningKey } from '../io/http/keys.ts'
import { createKafka, type Kafka } from '../io/kafka/client.ts'
import { RecordProducer } from '../io/kafka/producer.ts'
import { declaredKeys, isValidEverywhere } from '../io/kafka/signing-keys.ts'
import type { Keys } from '../respond/state.ts'
import { addressed } from '../runtime/emission.ts'
import { type CommandContext, defineCommand } from './args.ts'
import { kafkaConnection } from './connections.ts'
import { load } from './load.ts'
import { stateFolder } from './worker.ts'

/** Shows the keys that may sign decisions. */
export const keysList = defineCommand({
  name: 'keys list',
  summary: 'Show the keys whose signatures under decisions count',
  description: 'Reads the casefile: the keys that it was made with, and those declared since.',
  flags: {},
  positionals: [],
  examples: [{ line: 'sentinel keys list', what: 'which keys are valid, which were revoked' }],
  exitCodes: { 1: 'the key of this configuration is not valid' },
  async run(context: CommandContext<Record<never, never>>): Promise<number> {
    const loaded = await load(context)
    const keys = await declaredKeys(
      createKafka(kafkaConnection(loaded), () => {}),
      loaded.config.topics.prefix,
    )
    const own = await currentKey(loaded)
    for (const keyId of allIds(keys)) {
      const count = keys.filter((known) => known[keyId]?.revoked === false).length
      const state =
        count === keys.length ? 'valid' : count === 0 ? 'revoked' : `valid in ${count} of ${keys.length} partitions`
      context.terminal.print(`${keyId}  ${state}${keyId === own.keyId ? '  (the one of this configuration)' : ''}`)
    }
    return isValidEverywhere(keys, own.keyId) ? 0 : 1
  },
})

const flags = {
  'revoke-current': {
    type: 'boolean',
    description:
      'Also revoke the present key at once: for one that has become known. Decisions count again after restarts',
  },
} as const

/** Declares a new key. */
export const keysRotate = defineCommand({
  name: 'keys rotate',
  summary: 'Make a new key for decisions; the present one stays valid until the next rotation',
  description:
    'Makes a key, declares it on the casefile, signed by the present one, and revokes all that came before the present one: ' +
    'two are valid at a time. Workers that run go on with the present key; each takes the new one at its next start. ' +
    'What was signed before is judged by the keys that were valid when it was appended. May be broken off and run again.',
  flags,
  positionals: [],
  examples: [
    { line: 'sentinel keys rotate', what: 'then restart the workers, one after another' },
    { line: 'sentinel keys rotate --revoke-current', what: 'when the present key has become known' },
  ],
  run: rotate,
})

async function rotate(context: CommandContext<typeof flags>): Promise<number> {
  const { terminal } = context
  const loaded = await load(context)
  const kafka = createKafka(kafkaConnection(loaded), () => {})
  const folder = stateFolder(loaded)
  const current = await currentKey(loaded)
  const next = await resolveSigningKey({ path: join(folder, 'signing-key.next.pem') })
  const keys = await declaredKeys(kafka, loaded.config.topics.prefix)
  if (!isValidEverywhere(keys, current.keyId)) {
    throw new SentinelError(
      'CONFIGURATION_INVALID',
      `The present key ${current.keyId} is not valid, so it can declare none: take one that \`sentinel keys list\` shows as valid.`,
    )
  }
  const keep = context.flags['revoke-current'] ? [next.keyId] : [next.keyId, current.keyId]
  const lacking = keys.flatMap((known, partition) => (Object.hasOwn(known, next.keyId) ? [] : [partition]))
  const revoke = allIds(keys).filter((keyId) => !keep.includes(keyId) && keys.some((known) => !known[keyId]?.revoked))
  await declare(kafka, loaded, { current, next, revoke, partitions: lacking })
  terminal.print(`declared ${next.keyId}, signed by ${current.keyId}; revoked: ${revoke.join(', ') || 'none'}`)
  if (loaded.secrets.signingKey !== undefined) {
    const path = join(folder, 'signing-key.next.pem')
    terminal.print(`Set SENTINEL_SIGNING_KEY to the key in ${path}, restart the workers, then delete that file.`)
    return 0
  }
  await rename(join(folder, 'signing-key.pem'), join(folder, 'signing-key.previous.pem'))
  await rename(join(folder, 'signing-key.next.pem'), join(folder, 'signing-key.pem'))
  terminal.print('Restart the workers: each takes the new key at its start.')
  return 0
}

function currentKey({ secrets, ...loaded }: LoadedConfig): Promise<SigningKey> {
  const path = join(stateFolder({ secrets, ...loaded }), 'signing-key.pem')
  return resolveSigningKey({ given: secrets.signingKey, path })
}

function allIds(keys: readonly Keys[]): string[] {
  return [...new Set(keys.flatMap((known) => Object.keys(known)))].sort()
}

async function declare(
  kafka: Kafka,
  { config }: LoadedConfig,
  what: { current: SigningKey; next: SigningKey; revoke: readonly string[]; partitions: readonly number[] },
): Promise<void> {
  const { current, next, partitions } = what
  const unsigned: KeyDeclaration = {
    type: 'key-declaration',
    keyId: next.keyId,
    spki: next.spki,
    revoke: [...what.revoke],
    signedBy: current.keyId,
    signature: '',
  }
  const body: KeyDeclaration = { ...unsigned, signature: current.sign(signingBytes(unsigned)) }
  const id = idOf('key-declaration', next.keyId, current.keyId)
  const emission = { topic: 'casefile', route: 'every', key: '', id, timeMs: Date.now(), body } as const
  const producer = new RecordProducer(kafka, config.topics.prefix)
  await producer.connect()
  try {
    const partitionCount = () => config.topics.partitions.casefile
    const records = addressed(emission, { source: 'keys', lineage: 'keys:0:0:', task: 0, partitionCount })
    await producer.sendOrThrow(records.filter(({ partition }) => partitions.includes(partition)))
  } finally {
    await producer.disconnect()
  }
}
