import { describe } from 'vitest'
import { postgresReadModel } from '../../stream/io/postgres/read-model.ts'
import { createSink } from '../../stream/io/postgres/sink.ts'
import { databaseUrl, migratedDatabase } from '../io/database.ts'
import { readModelSuite } from '../io/read-model.suite.ts'

for (const timescale of ['auto', 'off'] as const) {
  const where = timescale === 'auto' ? 'TimescaleDB, where it is there' : 'plain PostgreSQL'
  describe.skipIf(databaseUrl === '')(`the read model on ${where}`, () => {
    readModelSuite(async () => {
      const { pool, schema } = await migratedDatabase({ timescale })
      const sink = createSink(pool, schema)
      return {
        readModel: postgresReadModel(pool, schema),
        async apply(topic, records) {
          await sink.write({ topic, partition: 0, records })
        },
      }
    })
  })
}
