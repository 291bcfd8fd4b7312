import { migrate as applyMigrations } from '../io/postgres/migrate.ts'
import { createPool } from '../io/postgres/pool.ts'
import { type CommandContext, defineCommand } from './args.ts'
import { databaseUrl, load } from './load.ts'

/** Makes or updates the tables. */
export const migrate = defineCommand({
  name: 'migrate',
  summary: 'Make or update the tables in PostgreSQL',
  description:
    'Applies the migrations of sql/ that the schema lacks, each in one transaction; hypertables where TimescaleDB is there. `run` does the same at its start; this is for deployments that migrate with another role.',
  flags: {},
  positionals: [],
  examples: [{ line: 'DATABASE_URL=postgres://… sentinel migrate', what: 'once before a deployment' }],
  async run(context: CommandContext<Record<never, never>>): Promise<number> {
    const loaded = await load(context)
    const pool = createPool({ url: databaseUrl(loaded) })
    try {
      const { schema } = loaded.config.database
      const { applied, timescale } = await applyMigrations(pool, { schema })
      const what = applied.length === 0 ? 'up to date' : `applied ${applied.join(', ')}`
      context.terminal.print(`schema ${schema}: ${what}; ${timescale ? 'hypertables of TimescaleDB' : 'plain tables'}`)
      return 0
    } finally {
      await pool.end()
    }
  },
})
