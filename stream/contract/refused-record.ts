/**
 * A record that the reader could not get at: its batch is broken, cannot be decompressed, or only to more than
 * the bound. It stands at the offset of the one it replaces, without a value, with this header to say why.
 */
export const REFUSED_HEADER = 'sentinel_refused'

/** What the header may say. The reasons are part of dead letters, whose bytes must repeat. */
export const refusals = {
  unreadable: {
    code: 'undecodable',
    reason: 'its batch cannot be decompressed: broken, or by a codec unknown to Kafka',
  },
  corrupt: {
    code: 'undecodable',
    reason: 'its batch is not what its producer sent: the checksum, or what is behind it, is wrong',
  },
  'too-many': { code: 'too-large', reason: 'its batch has more than 500,000 records: this stands for all of them' },
  'too-large': { code: 'too-large', reason: 'its batch decompresses to more than 128 MiB' },
} as const

export type Refusal = keyof typeof refusals

/** Why a record was refused; undefined for all that can be read. */
export function whyRefused(headers: Readonly<Record<string, string>>): (typeof refusals)[Refusal] | undefined {
  const said = headers[REFUSED_HEADER]
  if (said === undefined) return undefined
  return Object.hasOwn(refusals, said) ? refusals[said as Refusal] : refusals.unreadable
}
