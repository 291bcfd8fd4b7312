/** What every checkpoint store does: run over memory and over PostgreSQL. */
import { expect, it } from 'vitest'
import type { CheckpointStore } from '../../stream/runtime/checkpoint-store.ts'

const bytes = (...values: number[]) => Uint8Array.from(values)
const origin = { incarnation: 'a'.repeat(32), digest: 'd1' }

export function change(
  offset: number,
  parts: Record<string, Uint8Array | null> = {},
  watermarkMs: number | null = null,
) {
  return { ...origin, offset, watermarkMs, changes: new Map(Object.entries(parts)) }
}

export function checkpointStoreSuite(subject: () => Promise<CheckpointStore>): void {
  it('knows no checkpoint, stores the first, and adds what changes', async () => {
    const store = await subject()
    expect(await store.load('detect/0')).toBeNull()
    const first = change(10, { a: bytes(0, 255, 1), b: bytes(), c: bytes(7) }, -5)
    expect(await store.save('detect/0', first, null)).toBe('stored')
    expect(await store.save('detect/0', change(20, { a: bytes(2), c: null }, 1_700_000_000_123), 10)).toBe('stored')
    const loaded = await store.load('detect/0')
    expect(loaded).toMatchObject({ ...origin, offset: 20, watermarkMs: 1_700_000_000_123 })
    expect([...loaded!.parts].sort().map(([part, stored]) => [part, [...stored]])).toEqual([
      ['a', [2]],
      ['b', []],
    ])
    expect(await store.load('detect/1')).toBeNull()
  })

  it('refuses an owner that does not know the stored offset', async () => {
    const store = await subject()
    expect(await store.save('t', change(5), 3)).toBe('refused')
    expect(await store.save('t', change(10, { a: bytes(1) }), null)).toBe('stored')
    expect(await store.save('t', change(99, { a: bytes(9) }), null)).toBe('refused')
    expect(await store.save('t', change(20, { a: bytes(2) }), 10)).toBe('stored')
    // a zombie that loaded the checkpoint at 10
    expect(await store.save('t', change(15, { a: bytes(3), b: bytes(3) }), 10)).toBe('refused')
    expect(await store.save('t', change(30, { a: bytes(3), b: bytes(3) }), 10)).toBe('refused')
    const loaded = await store.load('t')
    expect([loaded?.offset, [...loaded!.parts].map(([part, stored]) => [part, [...stored]])]).toEqual([
      20,
      [['a', [2]]],
    ])
  })

  it('lets offsets only grow', async () => {
    const store = await subject()
    await store.save('t', change(10), null)
    expect(await store.save('t', change(9), 10)).toBe('refused')
    expect(await store.save('t', change(10, { a: bytes(1) }), 10)).toBe('stored')
  })

  it('refuses state of another topic or configuration', async () => {
    const store = await subject()
    await store.save('t', change(10), null)
    expect(await store.save('t', { ...change(11), incarnation: 'b'.repeat(32) }, 10)).toBe('refused')
    expect(await store.save('t', { ...change(11), digest: 'd2' }, 10)).toBe('refused')
    expect(await store.save('t', change(11), 10)).toBe('stored')
  })

  it('lets one of many owners win', async () => {
    const store = await subject()
    await store.save('t', change(0), null)
    const outcomes = await Promise.all(
      Array.from({ length: 12 }, (_, owner) => store.save('t', change(owner + 1, { owner: bytes(owner) }), 0)),
    )
    expect(outcomes.filter((outcome) => outcome === 'stored').length).toBe(1)
    const winner = outcomes.indexOf('stored')
    const loaded = await store.load('t')
    expect([loaded?.offset, [...loaded!.parts.get('owner')!]]).toEqual([winner + 1, [winner]])
  })

  it('keeps its own copy of bytes', async () => {
    const store = await subject()
    const mine = bytes(1)
    await store.save('t', change(1, { a: mine }), null)
    mine[0] = 2
    expect([...(await store.load('t'))!.parts.get('a')!]).toEqual([1])
  })
}
