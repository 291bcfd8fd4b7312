import { type Column, insertRows, type Row, type Table, timestamp } from './rows.ts'

export const deadLettersTable: Table<'dead-letters'> = {
  topic: 'dead-letters',
  insert: (client, schema, rows) => insertRows(client, { schema, table: 'dead_letters', columns }, rows),
}

const columns: readonly Column<Row<'dead-letters'>>[] = [
  ['id', 'text', ({ body }) => body.id],
  ['time', 'timestamptz', ({ appendedMs }) => timestamp(appendedMs)],
  ['source', 'text', ({ body }) => body.origin.source],
  ['partition', 'integer', ({ body }) => body.origin.partition],
  ['record_offset', 'bigint', ({ body }) => body.origin.offset],
  ['code', 'text', ({ body }) => body.code],
  ['reason', 'text', ({ body }) => body.reason],
  ['record', 'json', ({ text }) => text],
]
