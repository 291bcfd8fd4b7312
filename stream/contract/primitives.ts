import { z } from 'zod'

/** A finite number: NaN and infinities never reach a topic. */
export const finite = z.number()
/** A safe integer >= 0. */
export const nonNegativeInteger = z.int().min(0)
/** Milliseconds since the epoch, UTC. */
export const timeMs = z.int().min(-62_135_596_800_000).max(253_402_300_799_999)
/** Hex digest of a canonical lineage: the first 32 digits (128 bits) of its SHA-256. */
export const recordId = z.string().regex(/^[0-9a-f]{32}$/)
/** A name of a tenant, entity, feature or category: cut and cleaned by `ingest/extract.ts`, at most 256 code units. */
export const name = z.string().min(1).max(256)
