/** Configurations by digest: recovery runs under the one that the checkpoint names. */
import type { Pool } from './pool.ts'
import { withClient } from './pool.ts'
import { schemaName } from './schema.ts'

export interface ConfigurationStore {
  /** Stores what a digest stands for, once. */
  save(configuration: { digest: string; stage: string; body: unknown }): Promise<void>
  load(digest: string): Promise<{ stage: string; body: unknown } | null>
}

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
  }
}
