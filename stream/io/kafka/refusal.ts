/** What the broker does not allow, in words that say what to grant. */
import { randomBytes } from 'node:crypto'
import type { Kafka } from 'kafkajs'
import { SentinelError } from '../../errors.ts'
import { type Permission, readerGroupPrefix } from '../../permissions.ts'
import { withAdmin } from './topics.ts'

const refusals = new Set(['TOPIC_AUTHORIZATION_FAILED', 'GROUP_AUTHORIZATION_FAILED', 'CLUSTER_AUTHORIZATION_FAILED'])

/** The broker's word for a refusal, of the error or of what caused it; null for every other error. */
export function refusalOf(error: unknown): string | null {
  for (let at = error, depth = 0; at instanceof Error && depth < 8; depth++) {
    const { type, cause, originalError, errors } = at as Error & {
      type?: unknown
      originalError?: unknown
      errors?: readonly unknown[]
    }
    if (typeof type === 'string' && refusals.has(type)) return type
    if (at.name === 'KafkaJSSASLAuthenticationError') return 'SASL_AUTHENTICATION_FAILED'
    at = cause ?? originalError ?? errors?.[0]
  }
  return null
}

/**
 * KafkaJS loses the broker's word where a group's coordinator may not be looked up: it says that there is none. So it
 * does for a moment of an outage; who is refused is refused again by a broker that answers.
 */
export function isCoordinatorHidden(error: unknown): boolean {
  return error instanceof Error && error.name === 'KafkaJSGroupCoordinatorNotFound'
}

/** Whether a broker that answers does not let us see the group. */
export async function isGroupRefused(kafka: Kafka, groupId: string): Promise<boolean> {
  try {
    return await withAdmin(kafka, async (admin) => {
      await admin.describeCluster()
      return admin.fetchOffsets({ groupId }).then(
        () => false,
        (error) => refusalOf(error) !== null || isCoordinatorHidden(error),
      )
    })
  } catch {
    return false // nobody answers: that is another trouble
  }
}

/** Of a reader or a consumer that ended: PERMISSION_DENIED where the group is what it may not use. */
export async function asGroupRefusal(kafka: Kafka, groupId: string, error: unknown, missing: string): Promise<unknown> {
  if (!isCoordinatorHidden(error) || !(await isGroupRefused(kafka, groupId))) return asRefusal(error, missing)
  return denied('GROUP_AUTHORIZATION_FAILED', missing, error)
}

/** @returns PERMISSION_DENIED that names what is missing, for a refusal; every other error as it is */
export function asRefusal(error: unknown, missing: string): unknown {
  if (error instanceof SentinelError && error.code === 'PERMISSION_DENIED') return error
  const refusal = refusalOf(error)
  if (refusal === null) return error
  if (refusal === 'SASL_AUTHENTICATION_FAILED') return authenticationFailed(error)
  return denied(refusal, missing, error)
}

function denied(refusal: string, missing: string, cause: unknown): SentinelError {
  return new SentinelError(
    'PERMISSION_DENIED',
    `The broker refuses (${refusal}): the principal of this worker lacks ${missing}. \`sentinel topics --acls\` prints all that it needs.`,
    { cause },
  )
}

export function authenticationFailed(cause: unknown): SentinelError {
  return new SentinelError(
    'PERMISSION_DENIED',
    'The broker does not take the user and password of kafka.sasl: check kafka.sasl.username, its mechanism and KAFKA_SASL_PASSWORD.',
    { cause },
  )
}

/** @example `Read on topic logs` */
export function described({ operation, resource, name, pattern }: Permission): string {
  return `${operation} on ${resource} ${name}${pattern === 'prefixed' ? '* (prefixed)' : ''}`
}

const probeMs = 15_000

/**
 * Which of the permissions the broker does not give. Nothing is written and no group of a worker is disturbed: whether
 * it may write is not looked at, and of a group only whether it can be described.
 *
 * @throws BROKER_UNAVAILABLE, PERMISSION_DENIED for a user that the broker does not take
 */
export async function missingPermissions(
  kafka: Kafka,
  permissions: readonly Permission[],
  present: ReadonlySet<string>,
): Promise<Permission[]> {
  const missing: Permission[] = []
  const groupsFirst = [...permissions].sort((a, b) => Number(a.resource === 'topic') - Number(b.resource === 'topic'))
  for (const permission of groupsFirst) {
    // reading takes a group: without one nothing can be said of topics
    const canRead = !missing.some(({ name, operation }) => name === readerGroupPrefix && operation === 'Read')
    if (permission.resource === 'topic' && permission.operation === 'Read' && !canRead) continue
    if (!(await isGiven(kafka, permission, present))) missing.push(permission)
  }
  return missing
}

async function isGiven(kafka: Kafka, permission: Permission, present: ReadonlySet<string>): Promise<boolean> {
  const { resource, name, operation, pattern } = permission
  if (operation === 'Write') return true
  if (resource === 'topic' && operation === 'Read') return mayRead(kafka, name)
  // a topic that may not be described is not among those that are listed
  if (resource === 'topic') return present.has(name)
  const groupId = pattern === 'prefixed' ? `${name}${randomBytes(8).toString('hex')}` : name
  const [anyTopic] = present
  // a group of nobody can be joined, which tells more; it joins before it reads, so any topic will do
  if (pattern === 'prefixed' && operation === 'Read' && anyTopic !== undefined) {
    return (await tryReading(kafka, anyTopic)) !== 'group refused'
  }
  if (operation === 'Read') return !(await isGroupRefused(kafka, groupId))
  return withAdmin(kafka, async (admin) => {
    try {
      await admin.deleteGroups([groupId])
      return true
    } catch (error) {
      // a group that is not there may be deleted; each group's own error stands within
      const { groups } = error as { groups?: readonly { error?: unknown }[] }
      return ![error, ...(groups ?? []).map((one) => one.error)].some((one) => refusalOf(one) !== null)
    }
  })
}

/** Names those of the topics that may not be read. */
export async function unreadable(kafka: Kafka, topics: readonly string[], cause: unknown): Promise<SentinelError> {
  const missing: string[] = []
  for (const topic of topics) {
    // who cannot tell names it: too many are better than none
    if (!(await mayRead(kafka, topic).catch(() => false))) missing.push(`Read on topic ${topic}`)
  }
  const what = missing.length === 0 ? `Read on one of the topics ${topics.join(', ')}` : missing.join(', ')
  return asRefusal(cause, what) as SentinelError
}

export async function mayRead(kafka: Kafka, topic: string): Promise<boolean> {
  return (await tryReading(kafka, topic)) === 'read'
}

/** A consumer of a group of its own reads a topic until the first answer, whatever that holds. */
async function tryReading(kafka: Kafka, topic: string): Promise<'read' | 'topic refused' | 'group refused'> {
  const consumer = kafka.consumer({
    groupId: `${readerGroupPrefix}${randomBytes(8).toString('hex')}`,
    allowAutoTopicCreation: false,
    maxWaitTimeInMs: 100,
  })
  let timer: NodeJS.Timeout | undefined
  try {
    const answered = new Promise<'read'>((resolve, reject) => {
      consumer.on(consumer.events.FETCH, () => resolve('read'))
      consumer.on(consumer.events.CRASH, ({ payload: { error } }) => reject(error))
      timer = setTimeout(
        () => reject(new SentinelError('BROKER_UNAVAILABLE', `Nothing came from ${topic} for ${probeMs / 1000} s.`)),
        probeMs,
      )
    })
    answered.catch(() => {}) // it may fail before it is awaited
    const running = (async () => {
      await consumer.connect()
      await consumer.subscribe({ topics: [topic] })
      await consumer.run({ autoCommit: false, eachMessage: async () => {} })
      return answered
    })()
    running.catch(() => {}) // the client itself would try for ever
    return await Promise.race([running, answered])
  } catch (error) {
    const refusal = refusalOf(error)
    if (refusal === 'TOPIC_AUTHORIZATION_FAILED') return 'topic refused'
    if (refusal === 'GROUP_AUTHORIZATION_FAILED' || isCoordinatorHidden(error)) return 'group refused'
    throw error
  } finally {
    clearTimeout(timer)
    await consumer.disconnect().catch(() => {})
  }
}
