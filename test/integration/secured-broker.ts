/** A broker with TLS, SASL and an authorizer, of this file's own, and the ACLs of its users. */
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import kafkajs, { type Admin } from 'kafkajs'
import { createKafka, type Kafka, type KafkaConnection } from '../../stream/io/kafka/client.ts'
import type { Permission } from '../../stream/permissions.ts'

const { AclOperationTypes, AclPermissionTypes, AclResourceTypes, ResourcePatternTypes } = kafkajs
const script = 'deploy/local/kafka.sh'

export interface SecuredBroker {
  readonly address: string
  readonly caPath: string
  readonly passwords: Readonly<Record<'admin' | 'plain' | 'scram', string>>
  readonly admin: Admin
  /** As `plain`, unless said otherwise. */
  connection(changes?: Partial<NonNullable<KafkaConnection['sasl']>>): KafkaConnection
  kafka(changes?: Partial<NonNullable<KafkaConnection['sasl']>>): Kafka
  allow(permissions: readonly Permission[], user?: string): Promise<void>
  /** Takes one away again. */
  forbid(permission: Permission, user?: string): Promise<void>
  stop(): Promise<void>
}

export async function startSecuredBroker(): Promise<SecuredBroker> {
  const folder = await mkdtemp(join(tmpdir(), 'sentinel-secured-'))
  const env = { ...process.env, KAFKA_SECURED: '1', KAFKA_DIR: join(folder, 'kafka') }
  const run = (action: string) => promisify(execFile)('bash', [script, action], { env })
  const address = (await run('start')).stdout.trim()
  const made = join(folder, 'kafka', 'secured')
  const lines = (await readFile(join(made, 'users'), 'utf8')).trim().split('\n')
  const passwords = Object.fromEntries(lines.map((line) => line.split(':'))) as SecuredBroker['passwords']
  const caPath = join(made, 'ca.pem')
  const connection: SecuredBroker['connection'] = (changes) => {
    const { username = 'plain', mechanism = 'plain' } = changes ?? {}
    const password = changes?.password ?? passwords[username as keyof typeof passwords]
    return {
      brokers: [address],
      clientId: 'sentinel-test',
      tls: { ca: caPath },
      sasl: { username, mechanism, password },
    }
  }
  const kafka: SecuredBroker['kafka'] = (changes) => createKafka(connection(changes), () => {})
  const admin = kafka({ username: 'admin' }).admin()
  await admin.connect()
  return {
    address,
    caPath,
    passwords,
    admin,
    connection,
    kafka,
    async allow(permissions, user = 'plain') {
      await admin.createAcls({
        acl: permissions.map((permission) => ({
          ...aclOf(permission, user),
          permissionType: AclPermissionTypes.ALLOW,
        })),
      })
    },
    async forbid(permission, user = 'plain') {
      await admin.deleteAcls({ filters: [{ ...aclOf(permission, user), permissionType: AclPermissionTypes.ALLOW }] })
    },
    async stop() {
      await admin.disconnect()
      await run('stop')
      await rm(folder, { recursive: true, force: true })
    },
  }
}

function aclOf({ resource, name, operation }: Permission, user: string) {
  return {
    resourceType: resource === 'topic' ? AclResourceTypes.TOPIC : AclResourceTypes.GROUP,
    resourceName: name,
    resourcePatternType: ResourcePatternTypes.LITERAL,
    principal: `User:${user}`,
    host: '*',
    operation: {
      Read: AclOperationTypes.READ,
      Write: AclOperationTypes.WRITE,
      Describe: AclOperationTypes.DESCRIBE,
    }[operation],
  }
}
