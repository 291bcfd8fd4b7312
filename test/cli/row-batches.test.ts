import { describe, expect, it } from 'vitest'
import { type BatchOptions, rowBatches } from '../../stream/cli/row-batches.ts'

const never = new Promise<never>(() => {})

/** What a source gives, and how it goes on then. */
async function* rows(count: number, then?: () => Promise<void>): AsyncGenerator<number> {
  for (let row = 0; row < count; row++) yield row
  await then?.()
}

async function taken(source: AsyncIterable<number>, options: Partial<BatchOptions> = {}): Promise<number[][]> {
  const batches: number[][] = []
  const all = { rowsMax: 3, waitMs: 3_600_000, signal: new AbortController().signal, ...options }
  for await (const batch of rowBatches(source, all)) batches.push(batch)
  return batches
}

describe('batches of rows', () => {
  it('are full, but for the last one', async () => {
    expect(await taken(rows(7))).toEqual([[0, 1, 2], [3, 4, 5], [6]])
    expect(await taken(rows(3))).toEqual([[0, 1, 2]])
    expect(await taken(rows(0))).toEqual([])
  })

  it('do not wait for rows that do not come', async () => {
    let goOn!: () => void
    const more = new Promise<void>((resolve) => {
      goOn = resolve
    })
    const source = async function* () {
      yield* rows(4)
      await more
      yield 4
      await never
    }
    const batches = rowBatches(source(), { rowsMax: 3, waitMs: 1, signal: new AbortController().signal })
    const read = async () => (await batches.next()).value
    expect([await read(), await read()]).toEqual([[0, 1, 2], [3]])
    goOn()
    expect(await read()).toEqual([4])
  })

  it('end with what was read when they are told to, though the source never answers', async () => {
    const controller = new AbortController()
    const asleep = rows(2, async () => {
      controller.abort()
      await never
    })
    expect(await taken(asleep, { signal: controller.signal })).toEqual([[0, 1]])
    expect(await taken(rows(9), { signal: controller.signal })).toEqual([])
  })

  it('end between two rows of a source that is never slow', async () => {
    const controller = new AbortController()
    const batches = rowBatches(rows(1_000), { rowsMax: 10, waitMs: 3_600_000, signal: controller.signal })
    expect((await batches.next()).value).toHaveLength(10)
    controller.abort()
    expect(await batches.next()).toEqual({ done: true, value: undefined })
  })

  it('come before the failure of what follows them', async () => {
    const failing = rows(2, () => Promise.reject(new Error('no more')))
    const batches = rowBatches(failing, { rowsMax: 3, waitMs: 3_600_000, signal: new AbortController().signal })
    expect((await batches.next()).value).toEqual([0, 1])
    await expect(batches.next()).rejects.toThrow('no more')
  })
})
