/**
 * Isolation trees: grown by random splits, and how soon they isolate a row.
 *
 * @see Liu, Ting and Zhou 2008, ICDM: "Isolation Forest"; scikit-learn 1.9.1 `ensemble.IsolationForest`
 */
import { type DrawState, drawInteger, drawWord } from './random-draws.ts'

/**
 * A tree as plain numbers, each node before its left and then its right branch: a split is the index of its column and
 * its threshold (at or below it a row goes left), a leaf is -1 less the rows that ended in it: -2 for one.
 */
export type IsolationTree = readonly number[]

export interface IsolationForest {
  readonly trees: readonly IsolationTree[]
  /** Rows that each tree was grown of. */
  readonly treeRows: number
}

/** Whole rows, row by row. */
export interface RowTable {
  readonly values: Float64Array
  readonly rows: number
  readonly width: number
}

const EULER = 0.5772156649015329
/** A threshold is shortened to this share of the range that it was drawn from, so that what is frozen is short. */
const THRESHOLD_RESOLUTION = 0.002

/** Mean depth at which a random tree isolates one of so many rows: the depth that a leaf's rows still lack. */
export function meanDepth(rows: number): number {
  if (rows <= 1) return 0
  if (rows === 2) return 1
  return 2 * (Math.log(rows - 1) + EULER) - (2 * (rows - 1)) / rows
}

/** The fewest digits that keep a threshold where it was drawn, and the lowest of the range below it. */
function shortened(threshold: number, range: { low: number; high: number }): number {
  const tolerance = (range.high - range.low) * THRESHOLD_RESOLUTION
  for (let digits = 1; digits < 17; digits++) {
    const short = Number(threshold.toPrecision(digits))
    if (Math.abs(short - threshold) <= tolerance && short >= range.low && short < range.high) return short
  }
  return threshold >= range.low && threshold < range.high ? threshold : range.low
}

/** A column in which these rows differ, every such one as likely, and its range; null where they are all alike. */
function drawColumn(table: RowTable, members: Int32Array, draws: DrawState) {
  const ranges: { column: number; low: number; high: number }[] = []
  for (let column = 0; column < table.width; column++) {
    let low = Number.POSITIVE_INFINITY
    let high = Number.NEGATIVE_INFINITY
    for (const row of members) {
      const value = table.values[row * table.width + column]!
      if (value < low) low = value
      if (value > high) high = value
    }
    if (low < high) ranges.push({ column, low, high })
  }
  return ranges.length === 0 ? null : ranges[drawInteger(draws, ranges.length)]!
}

/** Appends the tree of these rows, which it reorders. */
function grow(
  tree: number[],
  table: RowTable,
  members: Int32Array,
  arg: { depthLeft: number; draws: DrawState },
): void {
  const { depthLeft, draws } = arg
  const range = depthLeft > 0 && members.length > 1 ? drawColumn(table, members, draws) : null
  if (range === null) {
    tree.push(-1 - members.length)
    return
  }
  const share = drawWord(draws) / 2 ** 32
  const threshold = shortened(range.low + share * (range.high - range.low), range)
  let left = 0
  for (let at = 0; at < members.length; at++) {
    const row = members[at]!
    if (table.values[row * table.width + range.column]! > threshold) continue
    members[at] = members[left]!
    members[left] = row
    left++
  }
  tree.push(range.column, threshold)
  grow(tree, table, members.subarray(0, left), { depthLeft: depthLeft - 1, draws })
  grow(tree, table, members.subarray(left), { depthLeft: depthLeft - 1, draws })
}

/**
 * Grows trees, each of its own uniform part of the rows, to the depth of a balanced tree of so many.
 *
 * @returns O(trees · treeRows · log treeRows · width) time
 */
export function growForest(
  table: RowTable,
  arg: { trees: number; treeRows: number; draws: DrawState },
): IsolationForest {
  const treeRows = Math.min(arg.treeRows, table.rows)
  const depthLeft = Math.ceil(Math.log2(Math.max(2, treeRows)))
  const order = Int32Array.from({ length: table.rows }, (_, index) => index)
  const trees = Array.from({ length: arg.trees }, () => {
    for (let at = 0; at < treeRows; at++) {
      const from = at + drawInteger(arg.draws, table.rows - at)
      const row = order[from]!
      order[from] = order[at]!
      order[at] = row
    }
    const tree: number[] = []
    grow(tree, table, order.slice(0, treeRows), { depthLeft, draws: arg.draws })
    return tree
  })
  return { trees, treeRows }
}

/** A tree as its nodes: where a leaf (column -1) ends a row's way, `value` is its depth, else the threshold. */
interface Nodes {
  readonly column: Int32Array
  readonly value: Float64Array
  /** The right branch; the left one is the next node. */
  readonly right: Int32Array
}

function nodesOf(tree: IsolationTree): Nodes {
  const count = tree.length
  const nodes = { column: new Int32Array(count), value: new Float64Array(count), right: new Int32Array(count) }
  let read = 0
  let node = 0
  const visit = (depth: number): void => {
    const at = node++
    const first = tree[read++]!
    if (first < 0) {
      nodes.column[at] = -1
      nodes.value[at] = depth + meanDepth(-1 - first)
      return
    }
    nodes.column[at] = first
    nodes.value[at] = tree[read++]!
    visit(depth + 1)
    nodes.right[at] = node
    visit(depth + 1)
  }
  visit(0)
  return nodes
}

/**
 * How soon the forest isolates each row: -2^(-depth / mean depth), from -1 (at once, an outlier) to 0, with scikit-learn's
 * sign.
 *
 * @returns in the order of the rows. O(rows · trees · depth) time.
 */
export function isolationScores(forest: IsolationForest, table: RowTable): Float64Array {
  const { values, rows, width } = table
  const depths = new Float64Array(rows)
  for (const tree of forest.trees) {
    const { column, value, right } = nodesOf(tree)
    for (let row = 0; row < rows; row++) {
      const from = row * width
      let node = 0
      let at = column[0]!
      while (at >= 0) {
        node = values[from + at]! <= value[node]! ? node + 1 : right[node]!
        at = column[node]!
      }
      depths[row]! += value[node]!
    }
  }
  const expected = forest.trees.length * meanDepth(forest.treeRows)
  return depths.map((depth) => (expected > 0 ? -(2 ** -(depth / expected)) : -0.5))
}
