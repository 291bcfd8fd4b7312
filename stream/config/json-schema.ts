import { z } from 'zod'
import { duration } from '../contract/configuration.ts'

/** As much of JSON Schema (draft 2020-12) as `z.toJSONSchema` writes for our schemas. */
export interface JsonSchema {
  readonly type?: string
  readonly description?: string
  readonly default?: unknown
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly anyOf?: readonly JsonSchema[]
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: JsonSchema | boolean
  readonly items?: JsonSchema
  readonly minItems?: number
  readonly maxItems?: number
  readonly minimum?: number
  readonly maximum?: number
  readonly exclusiveMinimum?: number
  readonly exclusiveMaximum?: number
  readonly minLength?: number
  readonly maxLength?: number
  readonly pattern?: string
}

const durationUnits = [
  [604_800_000, 'w'],
  [86_400_000, 'd'],
  [3_600_000, 'h'],
  [60_000, 'm'],
  [1000, 's'],
] as const

/** A duration as people write it, in the largest unit that divides it: 5400000 is `90m`. Weeks are written in days. */
export function durationText(ms: number): string {
  if (ms < 0) return 'forever'
  for (const [unit, letter] of durationUnits)
    if (letter !== 'w' && ms > 0 && ms % unit === 0) return `${ms / unit}${letter}`
  return `${ms}ms`
}

const durationPattern = (z.toJSONSchema(duration, { io: 'input' }) as JsonSchema).anyOf!.find(
  (branch) => branch.pattern !== undefined,
)!.pattern!

/** Whether a schema takes a duration, alone or beside other things. */
export function takesDuration(schema: JsonSchema): boolean {
  return schema.pattern === durationPattern || (schema.anyOf ?? []).some(takesDuration)
}

const made = new WeakMap<z.ZodType, JsonSchema>()

/** JSON Schema of what people write, made once for each schema: before defaults are filled in and durations become milliseconds. */
export function jsonSchemaOf(schema: z.ZodType): JsonSchema {
  const known = made.get(schema)
  if (known !== undefined) return known
  const json = z.toJSONSchema(schema, {
    io: 'input',
    target: 'draft-2020-12',
    // Zod leaves a default out when the value is transformed after it: it would be in the form of the output.
    override: ({ zodSchema, jsonSchema }) => {
      const definition = zodSchema._zod.def as { type: string; defaultValue?: unknown }
      if (definition.type !== 'default' || definition.defaultValue === undefined) return
      const value = definition.defaultValue
      const isDuration = typeof value === 'number' && takesDuration(jsonSchema as JsonSchema)
      jsonSchema.default = (isDuration ? durationText(value) : value) as NonNullable<typeof jsonSchema.default>
    },
  }) as JsonSchema
  made.set(schema, json)
  return json
}

/** Every schema that may hold at a path: a union has several. */
export function schemasAt(schema: JsonSchema, path: readonly PropertyKey[]): readonly JsonSchema[] {
  let schemas = branches(schema)
  for (const step of path) {
    schemas = schemas.flatMap((one) => {
      const member = typeof step === 'number' ? one.items : (one.properties?.[String(step)] ?? one.additionalProperties)
      return typeof member === 'object' ? branches(member) : []
    })
  }
  return schemas
}

function branches(schema: JsonSchema): readonly JsonSchema[] {
  return schema.anyOf === undefined ? [schema] : schema.anyOf.flatMap(branches)
}

/** What a schema allows, in words: `a whole number from 1 to 16`, `json-log, metric, prediction or text`. */
export function allowedText(given: readonly JsonSchema[]): string {
  const schemas = given.flatMap(branches)
  const isDuration = schemas.some((schema) => schema.pattern === durationPattern)
  const rest = schemas.filter(
    (schema) => !(isDuration && (schema.pattern === durationPattern || schema.type === 'integer')),
  )
  const words = [...(isDuration ? ['a duration such as 500ms, 30s, 5m, 1h or 2d'] : []), ...rest.map(oneText)]
  return [...new Set(words)].join(' or ')
}

function oneText(schema: JsonSchema): string {
  if (schema.const !== undefined) return String(schema.const)
  if (schema.enum !== undefined) return listText(schema.enum.map(String))
  switch (schema.type) {
    case 'integer':
      return `a whole number${rangeText(schema)}`
    case 'number':
      return `a number${rangeText(schema)}`
    case 'boolean':
      return 'true or false'
    case 'string':
      return `text${lengthText(schema)}`
    case 'array':
      return `a list${schema.minItems === undefined ? '' : ` of at least ${schema.minItems}`}${schema.maxItems === undefined ? '' : `, at most ${schema.maxItems}`}`
    case 'object': {
      const keys = Object.keys(schema.properties ?? {})
      return keys.length === 0 ? 'a mapping' : `a mapping with ${listText(keys)}`
    }
    default:
      return 'any value'
  }
}

function rangeText(schema: JsonSchema): string {
  const low = schema.minimum ?? schema.exclusiveMinimum
  const high = schema.maximum ?? schema.exclusiveMaximum
  const above = schema.minimum === undefined ? 'above ' : ''
  const below = schema.maximum === undefined ? 'below ' : ''
  const unbounded = high === undefined || high >= Number.MAX_SAFE_INTEGER
  if ((low === undefined || low <= Number.MIN_SAFE_INTEGER) && unbounded) return ''
  if (unbounded) return above === '' ? ` of at least ${low}` : ` above ${low}`
  if (low === undefined || low <= Number.MIN_SAFE_INTEGER)
    return below === '' ? ` of at most ${high}` : ` below ${high}`
  return above === '' && below === ''
    ? ` from ${low} to ${high}`
    : ` ${above}${low} and ${below === '' ? 'at most ' : below}${high}`
}

function lengthText(schema: JsonSchema): string {
  if (schema.minLength !== undefined && schema.maxLength !== undefined) {
    return ` of ${schema.minLength} to ${schema.maxLength} characters`
  }
  if (schema.maxLength !== undefined) return ` of at most ${schema.maxLength} characters`
  return (schema.minLength ?? 0) > 0 ? ' that is not empty' : ''
}

/** `a, b or c`. */
export function listText(words: readonly string[]): string {
  if (words.length < 2) return words.join('')
  return `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`
}
