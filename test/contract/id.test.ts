import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { canonicalJson } from '../../stream/contract/encoding.ts'
import { digestOf, idOf } from '../../stream/contract/id.ts'

describe('ids', () => {
  // Pinned: an id that changes breaks what consumers stored, and every replay.
  it('never change', () => {
    expect(idOf('pane', 'logs', 0, 1_767_571_200_000, 'aeda24c188550bbb', 'service:payment')).toBe(
      '5007bb3212b0cff917491e7751b00698',
    )
    expect(idOf('finding', 'model:churn@3', null)).toBe('f645a46f2d84396f16534eb55cce8569')
    expect(digestOf({ b: 1, a: [true, null, 'ü', 1e21, 0.1] })).toBe(
      '9f343aa9218254606f576d819aa85e0d9777543af9158ab3b6b78b5a91825873',
    )
  })

  it('are the first 128 bits of the SHA-256 of the lineage, canonically encoded', () => {
    const sha = createHash('sha256').update('["pane","logs",7,null]').digest('hex')
    expect(idOf('pane', 'logs', 7, null)).toBe(sha.slice(0, 32))
    expect(canonicalJson(['pane', 'logs', 7, null])).toBe('["pane","logs",7,null]')
  })

  it('tell kinds, types and borders apart', () => {
    const ids = [
      idOf('a', 'b', 'c'),
      idOf('b', 'a', 'c'),
      idOf('a', 'bc'),
      idOf('a', 'b,c'),
      idOf('a', 1),
      idOf('a', '1'),
      idOf('a', null),
      idOf('a', 'null'),
      idOf('a'),
    ]
    expect(new Set(ids).size).toBe(ids.length)
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{32}$/)
  })
})
