import { describe, expect, it } from 'vitest'
import { categoricalColumn, mergeStrata, numericColumn, type Rows } from '../../stream/detect/sample.ts'
import { Random } from './random.ts'

/** The 64 lowest of so many rows, as a pane holds them. */
function pane(draw: Random, rowCount: number, mark: number): Rows {
  const hashes = Array.from({ length: rowCount }, () => draw.hash()).sort((a, b) => a - b)
  return { numeric: ['pane'], categorical: [], rows: hashes.slice(0, 64).map((hash) => [hash, mark]) }
}

describe('mergeStrata', () => {
  it('is uniform over rows while no part has more than its share', () => {
    const draw = new Random(1)
    let heavy = 0
    let all = 0
    for (let run = 0; run < 200; run++) {
      // Even panes hold 40 rows, odd ones 20: two thirds of the sample have to come from even ones.
      const panes = Array.from({ length: 30 }, (_, index) => pane(draw, index % 2 === 0 ? 40 : 20, index))
      const merged = mergeStrata(panes, { rowsMax: 167, partMax: 50 })
      expect(merged.rows.length).toBe(167)
      heavy += merged.rows.filter(([, mark]) => (mark as number) % 2 === 0).length
      all += merged.rows.length
    }
    expect(heavy / all).toBeCloseTo(2 / 3, 1.5)
  })

  it('does not let a burst starve the rest: it fills its part and no more', () => {
    const draw = new Random(2)
    const panes = [pane(draw, 100_000, 0), ...Array.from({ length: 29 }, (_, index) => pane(draw, 5, index + 1))]
    const merged = mergeStrata(panes, { rowsMax: 167, partMax: 50 })
    expect(merged.rows.filter(([, mark]) => mark === 0).length).toBe(50)
    // The lowest threshold over all panes would leave none of the others' 145 rows.
    expect(merged.rows.length).toBe(167)
  })

  it('puts rows under the columns of all parts', () => {
    const merged = mergeStrata(
      [
        { numeric: ['a'], categorical: ['k'], rows: [[2, 1.5, 'x']] },
        { numeric: ['a', 'b'], categorical: [], rows: [[1, 2.5, 9]] },
      ],
      { rowsMax: 10, partMax: 10 },
    )
    expect(merged).toEqual({
      numeric: ['a', 'b'],
      categorical: ['k'],
      rows: [
        [1, 2.5, 9, null],
        [2, 1.5, null, 'x'],
      ],
    })
    expect([...numericColumn(merged, 'b')]).toEqual([9])
    expect([...numericColumn(merged, 'none')]).toEqual([])
    expect([...categoricalColumn(merged, 'k')]).toEqual([['x', 1]])
  })
})
