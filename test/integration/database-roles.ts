/** Three roles of a test's own on the one database: the owner of a schema, a worker and a reader. */
import { randomBytes } from 'node:crypto'
import { onTestFinished } from 'vitest'
import { grant } from '../../stream/io/postgres/grants.ts'
import { migrate } from '../../stream/io/postgres/migrate.ts'
import { createPool, type Pool } from '../../stream/io/postgres/pool.ts'
import { databaseUrl, freshSchemaName } from '../io/database.ts'

export const roleNames = ['owner', 'worker', 'reader'] as const
export type RoleName = (typeof roleNames)[number]

export interface DatabaseRoles {
  readonly schema: string
  readonly role: Readonly<Record<RoleName, string>>
  readonly url: Readonly<Record<RoleName, string>>
  readonly pool: Readonly<Record<RoleName, Pool>>
}

/** @param options.migrated whether the owner has made the tables and granted */
export async function databaseRoles(options: { migrated: boolean }): Promise<DatabaseRoles> {
  const schema = freshSchemaName()
  const admin = createPool({ url: databaseUrl, maxConnections: 1 })
  const database = new URL(databaseUrl).pathname.slice(1)
  const password = randomBytes(12).toString('hex')
  const role = {} as Record<RoleName, string>
  const url = {} as Record<RoleName, string>
  const pool = {} as Record<RoleName, Pool>
  for (const name of roleNames) {
    role[name] = `${schema}_${name}`
    await admin.query(`create role ${role[name]} login password '${password}'`)
    const own = new URL(databaseUrl)
    own.username = role[name]
    own.password = password
    url[name] = own.href
    pool[name] = createPool({ url: own.href, maxConnections: 3 })
  }
  await admin.query(`grant create on database "${database}" to ${role.owner}`)
  onTestFinished(async () => {
    for (const name of roleNames) await pool[name].end()
    await admin.query(`drop schema if exists ${schema} cascade`)
    for (const name of roleNames) await admin.query(`drop owned by ${role[name]}`)
    for (const name of roleNames) await admin.query(`drop role ${role[name]}`)
    await admin.end()
  })
  if (options.migrated) {
    await migrate(pool.owner, { schema })
    await grant(pool.owner, { schema, role: role.worker, as: 'worker' })
    await grant(pool.owner, { schema, role: role.reader, as: 'reader' })
  }
  return { schema, role, url, pool }
}
