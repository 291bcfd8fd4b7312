/** What the broker does not allow, in words that say what to grant. */
import type { Kafka } from 'kafkajs'
import { SentinelError } from '../../errors.ts'
import type { Permission } from '../../permissions.ts'
import { DirectClient } from './direct-client.ts'
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
export function described({ operation, resource, name }: Permission): string {
  return `${operation} on ${resource} ${name}`
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
  for (const permission of permissions) if (!(await isGiven(kafka, permission, present))) missing.push(permission)
  return missing
}

async function isGiven(kafka: Kafka, permission: Permission, present: ReadonlySet<string>): Promise<boolean> {
  const { resource, name, operation } = permission
  if (operation === 'Write') return true
  if (resource === 'group') return !(await isGroupRefused(kafka, name))
  // a topic that may not be described is not among those that are listed
  return operation === 'Read' ? mayRead(kafka, name) : present.has(name)
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

/** Asks for what comes next: an answer, whatever it holds, says that it may. */
export async function mayRead(kafka: Kafka, topic: string): Promise<boolean> {
  const client = new DirectClient(kafka)
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    const text = `Nothing came from ${topic} for ${probeMs / 1000} s.`
    timer = setTimeout(() => reject(new SentinelError('BROKER_UNAVAILABLE', text)), probeMs)
  })
  const asking = (async () => {
    await client.connect()
    const first = { topic, partition: 0 }
    const ends = await client.logEnds([first])
    await client.fetch([{ ...first, offset: ends.get(`${topic}/0`)! }])
    return true
  })()
  asking.catch(() => {}) // the client itself would try for ever
  try {
    return await Promise.race([asking, late])
  } catch (error) {
    if (refusalOf(error) === 'TOPIC_AUTHORIZATION_FAILED') return false
    throw error
  } finally {
    clearTimeout(timer)
    await client.disconnect().catch(() => {})
  }
}
