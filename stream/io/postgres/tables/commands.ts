import { type Column, insertRows, type Row, type Table, timestamp } from './rows.ts'

export const commandsTable: Table<'commands'> = {
  topic: 'commands',
  insert: (client, schema, rows) => insertRows(client, { schema, table: 'commands', columns }, rows),
}

const columns: readonly Column<Row<'commands'>>[] = [
  ['id', 'text', ({ body }) => body.id],
  ['tenant', 'text', ({ body }) => body.tenant],
  ['incident_id', 'text', ({ body }) => body.incidentId],
  ['action', 'text', ({ body }) => body.action],
  ['target', 'text', ({ body }) => body.target],
  ['not_after', 'timestamptz', ({ body }) => timestamp(body.notAfterMs)],
  ['record', 'json', ({ text }) => text],
]
