import { textOf } from './json.ts'
import { skipPlainText, UNSURE, wordAt } from './json-scan.ts'

/** Member names remembered; then the tree is begun anew. */
const NODES_MAX = 2_000
const CHILDREN_MAX = 16
/** Members of one object; more are parsed. */
const DEPTH_MAX = 128
/** Bytes of a name, its closing quote included; a longer one is parsed: nodes are bounded by their number. */
const NAME_BYTES_MAX = 257

/** The members of an object up to one of them, in the order in which they were written. */
export interface KeyNode<Mark> {
  readonly name: string
  /** Members up to here, this one included. */
  readonly depth: number
  /** What the tree's owner knows of the name. */
  readonly mark: Mark
  /** Names from the first on; the same array for the same members in the same order. */
  readonly names: readonly string[]
}

interface Node<Mark> extends KeyNode<Mark> {
  /** The name as written, with its closing quote; as many words of it as there are whole ones. */
  readonly bytes: Uint8Array
  readonly words: Int32Array
  /** The last four bytes; unused for a shorter name. */
  readonly lastWord: number
  readonly children: Node<Mark>[]
  /** The child met last: nearly always the next one too. */
  last: Node<Mark> | null
}

/**
 * The shapes of objects already met, as a tree of member names: a name is recognised by comparing bytes with the one that
 * followed here before, and an object's last node stands for its whole shape. A shape where the order of members would
 * not be that of `Object.keys` (a name twice, one that is an index) is refused.
 */
export class KeyTree<Mark> {
  readonly #mark: (name: string) => Mark
  #root: Node<Mark>
  #nodes = 0

  constructor(mark: (name: string) => Mark) {
    this.#mark = mark
    this.#root = this.#emptyRoot()
  }

  get root(): KeyNode<Mark> {
    return this.#root
  }

  /**
   * The node of the name that begins at `at`, behind its quote; null for one that is refused.
   *
   * Its closing quote is at `at + node.length`.
   */
  next(parent: KeyNode<Mark>, bytes: Uint8Array, at: number, end: number): KeyNode<Mark> | null {
    const node = parent as Node<Mark>
    const { last } = node
    if (last !== null && begins(bytes, at, end, last)) return last
    for (const child of node.children) {
      if (!begins(bytes, at, end, child)) continue
      node.last = child
      return child
    }
    return this.#add(node, bytes, at, end)
  }

  /** Bytes of a node's name, with its closing quote. */
  length(node: KeyNode<Mark>): number {
    return (node as Node<Mark>).bytes.length
  }

  #add(parent: Node<Mark>, bytes: Uint8Array, at: number, end: number): Node<Mark> | null {
    const behind = skipPlainText(bytes, at, end)
    if (behind === UNSURE || behind - at > NAME_BYTES_MAX || parent.depth >= DEPTH_MAX) return null
    const name = textOf(bytes.subarray(at, behind - 1))
    if (parent.names.includes(name) || isIndex(name)) return null
    const node: Node<Mark> = {
      name,
      depth: parent.depth + 1,
      mark: this.#mark(name),
      names: [...parent.names, name],
      bytes: Uint8Array.prototype.slice.call(bytes, at, behind),
      words: Int32Array.from({ length: (behind - at) >> 2 }, (_, index) => wordAt(at + 4 * index)),
      lastWord: behind - at < 4 ? 0 : wordAt(behind - 4),
      children: [],
      last: null,
    }
    if (++this.#nodes > NODES_MAX) {
      this.#root = this.#emptyRoot()
      this.#nodes = 0
      return node
    }
    // the child met longest ago may come again: it is only remembered anew then
    if (parent.children.length >= CHILDREN_MAX) parent.children.shift()
    parent.children.push(node)
    parent.last = node
    return node
  }

  #emptyRoot(): Node<Mark> {
    const mark = this.#mark('')
    const none = { bytes: new Uint8Array(), words: new Int32Array(), lastWord: 0, children: [], last: null }
    return { name: '', depth: 0, mark, names: [], ...none }
  }
}

function begins<Mark>(bytes: Uint8Array, at: number, end: number, node: Node<Mark>): boolean {
  const { bytes: name, words } = node
  const { length } = name
  if (at + length > end) return false
  if (length >= 4) {
    // the end with its closing quote first: names that differ mostly differ in length
    if (wordAt(at + length - 4) !== node.lastWord) return false
    for (let index = 0; index < words.length; index++) if (wordAt(at + 4 * index) !== words[index]) return false
    return true
  }
  for (let index = 0; index < length; index++) if (bytes[at + index] !== name[index]) return false
  return true
}

/** Whether `Object.keys` would move the name to the front; a few more are called so. */
function isIndex(name: string): boolean {
  const first = name.charCodeAt(0)
  return first >= 48 && first <= 57
}
