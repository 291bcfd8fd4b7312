/**
 * What the worker and the readers may do, table by table. The role that migrates owns the tables; neither of the others
 * can change a table, and the worker cannot change what is history: the audit, decisions, commands, versions.
 */
import { SentinelError } from '../../errors.ts'
import { type Pool, withTransaction } from './pool.ts'
import { schemaName } from './schema.ts'

type Privilege = 'select' | 'insert' | 'update' | 'delete'

const appended: readonly Privilege[] = ['select', 'insert']
const replaced: readonly Privilege[] = ['select', 'insert', 'update']
/** Retention deletes them; the audit and all that belongs to incidents is kept for ever. */
const aging: readonly Privilege[] = ['select', 'insert', 'delete']

interface Grants {
  readonly worker: readonly Privilege[]
  readonly reader: readonly Privilege[]
}

const shown: readonly Privilege[] = ['select']

/** Every table of `sql/`: one that is not here is refused by a test. */
export const tableGrants: Readonly<Record<string, Grants>> = {
  migrations: { worker: ['select'], reader: [] },
  measurements: { worker: aging, reader: shown },
  measurement_features: { worker: aging, reader: shown },
  learned_references: { worker: aging, reader: shown },
  entities: { worker: [...replaced, 'delete'], reader: shown },
  incidents: { worker: replaced, reader: shown },
  incident_versions: { worker: appended, reader: shown },
  approvals: { worker: replaced, reader: shown },
  decisions: { worker: appended, reader: shown },
  commands: { worker: appended, reader: shown },
  audit: { worker: appended, reader: shown },
  dead_letters: { worker: aging, reader: shown },
  model_quality: { worker: [...replaced, 'delete'], reader: shown },
  unreadable: { worker: aging, reader: [] },
  sink_offsets: { worker: replaced, reader: [] },
  checkpoints: { worker: replaced, reader: [] },
  checkpoint_parts: { worker: [...replaced, 'delete'], reader: [] },
  configurations: { worker: appended, reader: [] },
}

export type GrantedRole = keyof Grants

/**
 * Takes every privilege in the schema from a role and gives it those above: the same however often it runs.
 *
 * @throws CONFIGURATION_INVALID for a role that is not there, or that nothing could be held back from
 */
export async function grant(pool: Pool, options: { schema: string; role: string; as: GrantedRole }): Promise<void> {
  const { schema, role, as } = options
  const name = schemaName(schema)
  await withTransaction(pool, `granting to ${role}`, async (client) => {
    const { rows } = await client.query<{ quoted: string; rolsuper: boolean; owner: boolean }>(
      `select quote_ident(r.rolname) as quoted, r.rolsuper, pg_has_role(r.oid, n.nspowner, 'member') as owner
       from pg_roles r, pg_namespace n where r.rolname = $1 and n.nspname = $2`,
      [role, schema],
    )
    const [found] = rows
    if (found === undefined) {
      throw new SentinelError(
        'CONFIGURATION_INVALID',
        `There is no role ${JSON.stringify(role)} in the database. Make it first: create role … login password '…'.`,
      )
    }
    if (found.rolsuper || found.owner) {
      throw new SentinelError(
        'CONFIGURATION_INVALID',
        `The role ${JSON.stringify(role)} is a superuser, owns schema ${schema} or is a member of who does: grants would hold nothing back. Take a role of its own.`,
      )
    }
    const { quoted } = found
    await client.query(`revoke all on schema ${name} from ${quoted}`)
    await client.query(`revoke all on all tables in schema ${name} from ${quoted}`)
    await client.query(`revoke all on all functions in schema ${name} from ${quoted}`)
    await client.query(`grant usage on schema ${name} to ${quoted}`)
    for (const [table, grants] of Object.entries(tableGrants)) {
      if (grants[as].length === 0) continue
      await client.query(`grant ${grants[as].join(', ')} on ${name}.${table} to ${quoted}`)
    }
    if (as === 'worker') {
      await client.query(`grant execute on function ${name}.drop_old_chunk(text, text, timestamptz) to ${quoted}`)
    }
  })
}
