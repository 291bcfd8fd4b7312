import { decodePart, type Keys } from '../../respond/state.ts'
import { type Pool, withClient } from './pool.ts'
import { schemaName } from './schema.ts'

/**
 * The keys that may sign decisions, as respond's checkpoints have them: up to a checkpoint's age behind the log, but read
 * without reading it.
 *
 * @returns the keys of each task; null where a task has no checkpoint yet
 */
export async function storedKeys(pool: Pool, schema: string, taskCount: number): Promise<Keys[] | null> {
  const tasks = Array.from({ length: taskCount }, (_, task) => `respond/${task}`)
  const { rows } = await withClient(pool, 'reading the keys of checkpoints', (client) =>
    client.query<{ task: string; bytes: Buffer }>(
      `select task, bytes from ${schemaName(schema)}.checkpoint_parts where part = 'keys' and task = any($1::text[])`,
      [tasks],
    ),
  )
  const found = new Map(rows.map(({ task, bytes }) => [task, decodePart(bytes) as Keys]))
  const keys = tasks.flatMap((task): Keys[] => (found.has(task) ? [found.get(task)!] : []))
  return keys.length === taskCount ? keys : null
}
