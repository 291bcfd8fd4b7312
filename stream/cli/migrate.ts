import { grant } from '../io/postgres/grants.ts'
import { migrate as applyMigrations } from '../io/postgres/migrate.ts'
import { createPool } from '../io/postgres/pool.ts'
import { type CommandContext, defineCommand } from './args.ts'
import { databaseUrl, load } from './load.ts'

const flags = {
  'worker-role': {
    type: 'text',
    value: 'ROLE',
    description: 'Existing role that `run` connects by: granted what it needs',
  },
  'reader-role': { type: 'text', value: 'ROLE', description: 'Existing role that only reads: for the API and Grafana' },
} as const

/** Makes or updates the tables. */
export const migrate = defineCommand({
  name: 'migrate',
  summary: 'Make or update the tables in PostgreSQL',
  description: `Applies the migrations of sql/ that the schema lacks, each in one transaction; hypertables where TimescaleDB is there. \`run\` does the same at its start; this is for deployments that migrate with another role: the one that owns the tables. The worker's role can then change neither a table nor the audit.`,
  flags,
  positionals: [],
  examples: [
    { line: 'DATABASE_URL=postgres://… sentinel migrate', what: 'once before a deployment' },
    {
      line: 'sentinel migrate --worker-role sentinel_worker --reader-role sentinel_reader',
      what: 'and grant what the other roles need',
    },
  ],
  async run(context: CommandContext<typeof flags>): Promise<number> {
    const loaded = await load(context)
    const pool = createPool({ url: databaseUrl(loaded) })
    try {
      const { schema } = loaded.config.database
      const { applied, timescale } = await applyMigrations(pool, { schema })
      const what = applied.length === 0 ? 'up to date' : `applied ${applied.join(', ')}`
      context.terminal.print(`schema ${schema}: ${what}; ${timescale ? 'hypertables of TimescaleDB' : 'plain tables'}`)
      for (const as of ['worker', 'reader'] as const) {
        const role = context.flags[`${as}-role`]
        if (role === undefined) continue
        await grant(pool, { schema, role, as })
        context.terminal.print(`role ${role}: granted what a ${as} needs`)
      }
      return 0
    } finally {
      await pool.end()
    }
  },
})
