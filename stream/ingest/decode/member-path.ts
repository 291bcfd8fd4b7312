/**
 * Members that some tools nest and others write with dots: `http.response.status_code`, `{"http": {"response": …}}`, or
 * half of each.
 */
import { isObject, type JsonObject } from './json.ts'

/** One way to reach a member: the names to go down by. */
type Route = readonly string[]

/** Every way to reach a member, the fully dotted one first. */
export type MemberPath = readonly Route[]

/** @param dotted at most 4 names between dots: the ways double with each */
export function memberPath(dotted: string): MemberPath {
  const names = dotted.split('.')
  const routes: Route[] = []
  for (let splits = 0; splits < 1 << (names.length - 1); splits++) {
    const route = [names[0]!]
    for (let at = 1; at < names.length; at++) {
      if ((splits & (1 << (at - 1))) !== 0) route.push(names[at]!)
      else route.push(`${route.pop()}.${names[at]!}`)
    }
    routes.push(route)
  }
  return routes
}

/** Paths of several members, in the order in which they are looked for. */
export function memberPaths(...dotted: readonly string[]): readonly MemberPath[] {
  return dotted.map(memberPath)
}

/** What stands at a path, by the first way that reaches anything but null. */
export function memberAt(json: JsonObject, path: MemberPath): unknown {
  for (const route of path) {
    let value: unknown = json[route[0]!]
    for (let at = 1; at < route.length && value !== undefined; at++) {
      value = isObject(value) ? value[route[at]!] : undefined
    }
    if (value !== undefined && value !== null) return value
  }
  return undefined
}

/** The first of several members that `read` makes something of. */
export function firstOf<T>(
  json: JsonObject,
  paths: readonly MemberPath[],
  read: (value: unknown) => T | undefined,
): T | undefined {
  for (const path of paths) {
    const value = memberAt(json, path)
    const found = value === undefined ? undefined : read(value)
    if (found !== undefined) return found
  }
  return undefined
}
