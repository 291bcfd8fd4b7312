import type { StoredTopic } from '../../../read-model.ts'
import { auditTable } from './audit.ts'
import { commandsTable } from './commands.ts'
import { deadLettersTable } from './dead-letters.ts'
import { incidentsTable } from './incidents.ts'
import { measurementsTable } from './measurements.ts'
import { modelQualityTable } from './model-quality.ts'
import type { Table } from './rows.ts'

/** The tables of each stored topic. */
export const tables: { readonly [T in StoredTopic]: Table<T> } = {
  measurements: measurementsTable,
  incidents: incidentsTable,
  commands: commandsTable,
  audit: auditTable,
  'dead-letters': deadLettersTable,
  'model-quality': modelQualityTable,
}
