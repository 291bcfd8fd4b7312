/** Configurations by digest: recovery runs under the one that the checkpoint names. */
import type { ConfigurationStore } from '../../runtime/configuration-store.ts'
import type { Pool } from './pool.ts'
import { withClient } from './pool.ts'
import { schemaName } from './schema.ts'

export function postgresConfigurationStore(pool: Pool, schema: string): ConfigurationStore {
  const table = `${schemaName(schema)}.configurations`
  return {
    async save({ digest, stage, body }) {
      await withClient(pool, 'storing a configuration', (client) =>
        client.query(`insert into ${table} (digest, stage, body) values ($1, $2, $3) on conflict do nothing`, [
          digest,
          stage,
          JSON.stringify(body),
        ]),
      )
    },
    async load(digest) {
      const { rows } = await withClient(pool, 'loading a configuration', (client) =>
        client.query<{ stage: string; body: unknown }>(`select stage, body from ${table} where digest = $1`, [digest]),
      )
      return rows[0] ?? null
    },
    async list(stage) {
      const text = `select digest, body from ${table} where stage = $1 order by digest`
      const { rows } = await withClient(pool, 'listing configurations', (client) =>
        client.query<{ digest: string; body: unknown }>(text, [stage]),
      )
      return rows
    },
  }
}
