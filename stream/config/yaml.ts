import { isAlias, isMap, LineCounter, parseDocument } from 'yaml'
import type { Problem } from './problem.ts'

/** A megabyte is a thousand times what a configuration needs; more is a mistake or an attack. */
const TEXT_LENGTH_MAX = 1_000_000
/** Aliases expand on reading: so many at most, counted through nested ones, which bounds a "billion laughs". */
const ALIAS_COUNT_MAX = 100

export interface YamlFile {
  readonly path: string
  /** The content as plain values; undefined when it could not be read, an empty file is {}. */
  readonly value: unknown
  readonly problems: readonly Problem[]
  /** Line (from 1) on which the value at a path begins, or the nearest thing around it; 1 when unknown. */
  lineOf(path: readonly PropertyKey[]): number
}

/** Reads YAML 1.2 with anchors; duplicate keys, unknown tags, several documents and bombs are problems. */
export function readYaml(path: string, text: string): YamlFile {
  if (text.length > TEXT_LENGTH_MAX) {
    return failed(path, `${text.length} characters; allowed: at most ${TEXT_LENGTH_MAX}`)
  }
  const lineCounter = new LineCounter()
  try {
    const document = parseDocument(text, { lineCounter, prettyErrors: false, uniqueKeys: true, version: '1.2' })
    const errors = [...document.errors, ...document.warnings]
    if (errors.length > 0) {
      const problems = errors.map((error) => ({
        path: [],
        text: `not valid YAML: ${error.message}`,
        line: lineCounter.linePos(error.pos[0]).line,
      }))
      return {
        path,
        value: undefined,
        problems: problems.map((one) => ({ ...one, file: { path, lineOf: () => 1 } })),
        lineOf: () => 1,
      }
    }
    const value: unknown = document.toJS({ maxAliasCount: ALIAS_COUNT_MAX }) ?? {}
    const lineOf = (at: readonly PropertyKey[]): number => {
      const offset = offsetOf(document.contents, at)
      return offset === undefined ? 1 : lineCounter.linePos(offset).line
    }
    return { path, value, problems: [], lineOf }
  } catch (error) {
    return failed(path, `not valid YAML: ${(error as Error).message}`)
  }
}

function failed(path: string, text: string): YamlFile {
  const file = { path, value: undefined, lineOf: () => 1 }
  return { ...file, problems: [{ path: [], text, file }] }
}

/** Where in the text the deepest node on a path begins that still exists; a mapping's entry begins with its key. */
function offsetOf(root: unknown, path: readonly PropertyKey[]): number | undefined {
  let node = root
  let offset: number | undefined
  for (const step of path) {
    if (isMap(node)) {
      const pair = node.items.find((item) => String(item.key) === String(step))
      if (pair === undefined) return offset
      offset = rangeStart(pair.key) ?? offset
      node = pair.value
    } else {
      const items: unknown = (node as { items?: unknown } | null)?.items
      if (isAlias(node) || !Array.isArray(items)) return offset
      node = items[Number(step)]
      offset = rangeStart(node) ?? offset
    }
  }
  return offset
}

function rangeStart(node: unknown): number | undefined {
  return (node as { range?: readonly number[] } | null | undefined)?.range?.[0]
}
