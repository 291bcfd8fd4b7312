import { type Column, insertRows, type Row, type Table, timestamp } from './rows.ts'

export const auditTable: Table<'audit'> = {
  topic: 'audit',
  insert: (client, schema, rows) => insertRows(client, { schema, table: 'audit', columns }, rows),
}

const columns: readonly Column<Row<'audit'>>[] = [
  ['id', 'text', ({ body }) => body.id],
  ['tenant', 'text', ({ body }) => body.tenant],
  ['sequence', 'bigint', ({ body }) => body.sequence],
  ['time', 'timestamptz', ({ body }) => timestamp(body.timeMs)],
  ['event', 'text', ({ body }) => body.event],
  ['incident_id', 'text', ({ body }) => body.incidentId],
  ['record', 'json', ({ text }) => text],
]
