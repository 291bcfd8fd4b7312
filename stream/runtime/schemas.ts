import type { SchemaAnswer, SchemaRefusal } from '../contract/stage.ts'

/** Answers requests for schemas. Ids are for ever, so what was answered once may be kept. */
export interface Schemas {
  /** What is known without asking anybody. */
  known(id: number): SchemaAnswer | undefined
  /**
   * @throws SERVICE_UNAVAILABLE while the registry is away: the record has to wait
   */
  ask(id: number): Promise<SchemaAnswer>
}

const notConfigured: SchemaRefusal = {
  code: 'undecodable',
  reason:
    "the value names a schema (Confluent's wire format: byte 0, then the schema's id), and no registry is configured: " +
    'set schemaRegistry.url',
}

/** Where no registry is configured. */
export const noSchemas: Schemas = {
  known: () => notConfigured,
  ask: async () => notConfigured,
}
