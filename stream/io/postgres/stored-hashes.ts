/** What the table of the audit says of single places of its chains. */
import { type Pool, withClient } from './pool.ts'
import { schemaName } from './schema.ts'

export interface ChainPlace {
  readonly tenant: string
  readonly sequence: number
}

/** @returns the hash of each entry that is stored at these places; where a chain was forked, several for one place */
export async function storedHashes(
  pool: Pool,
  schema: string,
  places: readonly ChainPlace[],
): Promise<(ChainPlace & { readonly hash: string })[]> {
  return withClient(pool, 'comparing the audit with what is stored', async (client) => {
    const { rows } = await client.query<ChainPlace & { text: string }>(
      `select tenant, sequence, record::text as text from ${schemaName(schema)}.audit
       where (tenant, sequence) in (select * from unnest($1::text[], $2::bigint[]))`,
      [places.map(({ tenant }) => tenant), places.map(({ sequence }) => sequence)],
    )
    // operators of json refuse a document that has U+0000 or half a surrogate pair in some text of it
    return rows.map(({ tenant, sequence, text }) => ({
      tenant,
      sequence,
      hash: (JSON.parse(text) as { hash: string }).hash,
    }))
  })
}
