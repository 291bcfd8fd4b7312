/** What is wrong with a configuration, in words that say where, what was found and what is allowed. */
import type { z } from 'zod'
import { allowedText, type JsonSchema, schemasAt } from './json-schema.ts'
import { nearest } from './nearest.ts'
import { DATABASE_HINT, secretHint } from './secret.ts'
import type { YamlFile } from './yaml.ts'

type Issue = z.core.$ZodIssue
type Path = readonly PropertyKey[]

export interface Problem {
  readonly path: Path
  /** What was found and what is allowed. */
  readonly text: string
  /** The file it is in, when it is not the main one. */
  readonly file?: Pick<YamlFile, 'path' | 'lineOf'>
  readonly line?: number
}

/** `sources[0].pane`; a key that is no plain word is quoted. */
export function pathText(path: Path): string {
  let text = ''
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`
    else if (/^[A-Za-z_][\w-]*$/.test(String(step))) text += text === '' ? String(step) : `.${String(step)}`
    else text += `[${JSON.stringify(String(step))}]`
  }
  return text
}

/** One line: `detect.windw (line 12): unknown key; did you mean "window"?` */
export function problemText(problem: Problem, main: YamlFile | undefined): string {
  const file = problem.file ?? main
  const where = pathText(problem.path)
  const line = problem.line ?? (problem.path.length > 0 ? file?.lineOf(problem.path) : undefined)
  const place = [problem.file?.path, line === undefined ? undefined : `line ${line}`].filter(Boolean).join(', ')
  const subject = [where, place === '' ? '' : `(${place})`].filter((word) => word !== '').join(' ')
  return subject === '' ? problem.text : `${subject}: ${problem.text}`
}

/**
 * Words for what zod found.
 *
 * @param context.schema JSON Schema of the whole value, to name the keys and values allowed at a path
 * @param context.value  the value as read, to name what was found
 * @param context.prefix path of the value in the file, where it is only a part of it
 */
export function problemsOf(
  issues: readonly Issue[],
  context: { readonly schema: JsonSchema; readonly value: unknown; readonly prefix?: Path },
): Problem[] {
  const flat = issues.flatMap(flatten)
  const suggested = new Set<string>()
  const problems: Problem[] = []
  for (const issue of flat) {
    if (issue.code !== 'unrecognized_keys') continue
    const known = schemasAt(context.schema, issue.path).flatMap((schema) => Object.keys(schema.properties ?? {}))
    for (const key of issue.keys) {
      const guess = nearest(key, known)
      if (guess !== undefined) suggested.add(pathText([...issue.path, guess]))
      const hint = pathText([...issue.path, key]) === 'database.url' ? DATABASE_HINT : secretHint(key)
      problems.push({ path: [...issue.path, key], text: unknownKeyText({ hint, guess, known }) })
    }
  }
  for (const issue of flat) {
    if (issue.code === 'unrecognized_keys') continue
    const found = valueAt(context.value, issue.path)
    // A key that someone mistyped is not also missing.
    if (found === undefined && suggested.has(pathText(issue.path))) continue
    problems.push({ path: issue.path, text: valueText(issue, found, schemasAt(context.schema, issue.path)) })
  }
  const unique = new Map(problems.map((problem) => [`${pathText(problem.path)}\n${problem.text}`, problem]))
  return [...unique.values()].map((problem) => ({ ...problem, path: [...(context.prefix ?? []), ...problem.path] }))
}

function unknownKeyText(found: { hint: string | undefined; guess: string | undefined; known: string[] }): string {
  if (found.hint !== undefined) return found.hint
  if (found.guess !== undefined) return `unknown key; did you mean "${found.guess}"?`
  return found.known.length === 0 ? 'unknown key' : `unknown key; allowed: ${[...new Set(found.known)].join(', ')}`
}

function valueText(issue: Issue, found: unknown, schemas: readonly JsonSchema[]): string {
  const words = issue.code === 'custom' ? issue.message : allowedText(schemas)
  const regex =
    issue.code === 'invalid_format' && issue.message.startsWith('Invalid') === false ? issue.message : undefined
  const allowed =
    schemas.length > 0 && regex !== undefined && !words.startsWith('a duration') ? regex : words || issue.message
  if (found === undefined) return `missing; allowed: ${allowed}`
  const options = schemas.flatMap((schema) => (schema.enum ?? []).map(String))
  const guess = typeof found === 'string' ? nearest(found, options) : undefined
  return `found ${foundText(found)}; allowed: ${allowed}${guess === undefined ? '' : `; did you mean "${guess}"?`}`
}

const FOUND_LENGTH_MAX = 60

/** A value as found, short; numbers and text as JSON writes them. */
export function foundText(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : `a list of ${value.length}`
  if (typeof value === 'object' && value !== null) return 'a mapping'
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value)
  return text.length > FOUND_LENGTH_MAX ? `${text.slice(0, FOUND_LENGTH_MAX)}…` : text
}

/**
 * A union fails with the issues of each branch: of interest are those of the branch that was meant, which is the one
 * that got deepest; when none got inside the value, the union itself is what failed.
 */
function flatten(issue: Issue): Issue[] {
  if (issue.code !== 'invalid_union') return [issue]
  const inner = issue.errors
    .map((errors) => errors.flatMap(flatten))
    .filter(
      (errors) => errors.length > 0 && !errors.some((one) => one.path.length === 0 && one.code !== 'unrecognized_keys'),
    )
  if (inner.length === 0) return [issue]
  const meant = inner.reduce((best, errors) => (errors.length < best.length ? errors : best))
  return meant.map((one) => ({ ...one, path: [...issue.path, ...one.path] }) as Issue)
}

function valueAt(value: unknown, path: Path): unknown {
  let current = value
  for (const step of path) {
    if (typeof current !== 'object' || current === null) return undefined
    current = (current as Record<PropertyKey, unknown>)[step]
  }
  return current
}
