import { describe, expect, it } from 'vitest'
import { SentinelError } from '../../stream/errors.ts'
import {
  type CommitMetadata,
  decodeMetadata,
  encodeMetadata,
  METADATA_LENGTH_MAX,
  positionOf,
  RAISES_MAX,
} from '../../stream/ingest/metadata.ts'

const expected = { digest: 'd'.repeat(64), offset: 3, where: 'partition 0 of source logs' }
const metadata: CommitMetadata = {
  digest: expected.digest,
  position: 7,
  clockMs: 100,
  clockBeforeMs: null,
  raises: [{ position: 5, watermarkMs: 60 }],
  pendingIdle: { position: 7, watermarkMs: 80 },
  joined: true,
}

function codeOf(text: string): string {
  try {
    decodeMetadata(text, expected)
    return 'read'
  } catch (error) {
    return (error as SentinelError).code
  }
}

describe('metadata', () => {
  it('goes round', () => {
    for (const each of [metadata, { ...metadata, pendingIdle: null, joined: false, raises: [], clockMs: null }]) {
      expect(decodeMetadata(encodeMetadata(each), expected)).toEqual(each)
    }
  })
  it('always fits', () => {
    const raise = { position: Number.MAX_SAFE_INTEGER, watermarkMs: -Number.MAX_SAFE_INTEGER }
    const largest = { ...metadata, raises: new Array(RAISES_MAX).fill(raise), pendingIdle: raise, joined: false }
    expect(encodeMetadata(largest).length).toBeLessThan(METADATA_LENGTH_MAX / 2)
    expect(() => encodeMetadata({ ...metadata, raises: new Array(200).fill(raise) })).toThrow(SentinelError)
  })
  it.each([
    '',
    'null',
    '[]',
    '{}',
    'x',
    '{"version":2}',
    encodeMetadata({ ...metadata, position: 2 }),
    encodeMetadata(metadata).replace('100', '1.5'),
    encodeMetadata(metadata).replace('[5,60]', '[5]'),
    encodeMetadata(metadata).replace('[7,80]', '7'),
  ])('%s cannot be read', (text) => expect(codeOf(text)).toBe('INVARIANT_BROKEN'))
  it('of another configuration is refused', () => {
    expect(codeOf(encodeMetadata({ ...metadata, digest: 'other' }))).toBe('CONFIGURATION_CHANGED')
  })
  it('names its position whatever the configuration, and none where it is none of ours', () => {
    expect([encodeMetadata(metadata), '', '{}', '42'].map(positionOf)).toEqual([7, null, null, null])
  })
})
