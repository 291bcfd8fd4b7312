/** The command line, declared: a command with its flags, what they hold, and what they came to. */
import { parseArgs } from 'node:util'
import { durationText } from '../config/json-schema.ts'
import { nearest } from '../config/nearest.ts'
import { duration } from '../contract/configuration.ts'
import { SentinelError } from '../errors.ts'
import { readTime } from '../ingest/decode/time.ts'
import type { Terminal } from './terminal.ts'

/** What a flag of each type comes to. Durations and times are in ms; a list is given with commas, or flag by flag. */
export interface FlagTypes {
  readonly boolean: boolean
  readonly text: string
  readonly number: number
  readonly integer: number
  readonly duration: number
  readonly time: number
  readonly list: readonly string[]
}

export interface Flag<Type extends keyof FlagTypes = keyof FlagTypes> {
  readonly type: Type
  readonly description: string
  /** How help names its value: `PATH`. */
  readonly value?: string
  /** One letter. */
  readonly short?: string
  readonly default?: FlagTypes[Type]
  readonly required?: boolean
  /** All values that are allowed, of a text or of each in a list. */
  readonly choices?: readonly string[]
  readonly min?: number
  readonly max?: number
}
type AnyFlag = { readonly [Type in keyof FlagTypes]: Flag<Type> }[keyof FlagTypes]
export type Flags = Readonly<Record<string, AnyFlag>>

/** Flags as a command gets them: undefined only where a flag was not given and has no default. */
export type FlagValues<Declared extends Flags> = {
  readonly [Name in keyof Declared]: Declared[Name] extends
    | { type: 'boolean' }
    | { required: true }
    | { default: FlagTypes[keyof FlagTypes] }
    ? FlagTypes[Declared[Name]['type']]
    : FlagTypes[Declared[Name]['type']] | undefined
}

export interface Positional {
  readonly name: string
  readonly description: string
  readonly required?: boolean
  /** Takes all that are left; only the last one may. */
  readonly rest?: boolean
}

/** Every command takes these. */
export const globalFlags = {
  config: { type: 'text', value: 'PATH', description: 'Configuration (else SENTINEL_CONFIG, else sentinel.yaml)' },
  help: { type: 'boolean', short: 'h', description: 'Show what a command does, with examples' },
} as const satisfies Flags

export interface CommandContext<Declared extends Flags = Flags> {
  readonly flags: FlagValues<Declared & typeof globalFlags>
  readonly positionals: readonly string[]
  readonly terminal: Terminal
  /** Aborted by the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal
}

export interface Command<Declared extends Flags = Flags> {
  /** One word or two: `run`, `audit verify`. */
  readonly name: string
  /** One line, without a full stop. */
  readonly summary: string
  /** What it does and when one wants it, in paragraphs. */
  readonly description: string
  readonly flags: Declared
  readonly positionals: readonly Positional[]
  /** Lines that work as they stand, and what each is for. */
  readonly examples: readonly { readonly line: string; readonly what: string }[]
  /** Beyond those that all commands share. */
  readonly exitCodes?: Readonly<Record<number, string>>
  /** @returns the exit code */
  run(context: CommandContext<Declared>): Promise<number>
}

/** A command among others: what it declared is its own affair. */
// biome-ignore lint/suspicious/noExplicitAny: a list of commands of different flags has no other type
export type AnyCommand = Command<any>

/** Declares a command; its flags' types follow from what is declared. */
export function defineCommand<const Declared extends Flags>(command: Command<Declared>): Command<Declared> {
  return command
}

export type Invocation =
  | {
      readonly kind: 'run'
      readonly command: AnyCommand
      readonly flags: Readonly<Record<string, FlagTypes[keyof FlagTypes] | undefined>>
      readonly positionals: readonly string[]
    }
  | { readonly kind: 'help'; readonly command: AnyCommand | undefined }
  | { readonly kind: 'version' }

/**
 * Reads a command line.
 *
 * @param argv what follows the program's name
 * @throws SentinelError USAGE, its message what is wrong and what was probably meant
 */
export function parseCommandLine(argv: readonly string[], commands: readonly AnyCommand[]): Invocation {
  const [first] = argv
  if (first === undefined || first === '--help' || first === '-h') return { kind: 'help', command: undefined }
  if (first === '--version' || first === 'version') return { kind: 'version' }
  if (first === 'help') {
    return { kind: 'help', command: argv.length === 1 ? undefined : findCommand(argv.slice(1), commands).command }
  }
  const { command, rest } = findCommand(argv, commands)
  const flags: Flags = { ...command.flags, ...globalFlags }
  const { values, positionals } = read(command, flags, rest)
  if (values.has('help')) return { kind: 'help', command }
  return {
    kind: 'run',
    command,
    flags: Object.fromEntries(
      Object.entries(flags).map(([name, flag]) => [name, flagValue(command, { name, flag, given: values.get(name) })]),
    ),
    positionals: checkedPositionals(command, positionals),
  }
}

function findCommand(
  argv: readonly string[],
  commands: readonly AnyCommand[],
): { command: AnyCommand; rest: readonly string[] } {
  const words = argv.slice(0, 2)
  for (const length of [2, 1]) {
    const command = commands.find(
      (one) => one.name === words.slice(0, length).join(' ') && one.name.split(' ').length === length,
    )
    if (command !== undefined) return { command, rest: argv.slice(length) }
  }
  const names = commands.map((command) => command.name)
  const [first = ''] = words
  const below = names.filter((name) => name.startsWith(`${first} `))
  if (below.length > 0) {
    const second = words[1] === undefined || words[1].startsWith('-') ? '' : words[1]
    const found =
      second === '' ? `"${first}" says what to look at, not what to do` : `unknown command "${first} ${second}"`
    throw new SentinelError('USAGE', `${found}; there is: ${below.map((name) => `sentinel ${name}`).join(', ')}`)
  }
  if (first.startsWith('-'))
    throw new SentinelError(
      'USAGE',
      `the command comes first: sentinel <command> ${first} …; "sentinel help" lists them`,
    )
  const guess = nearest(words.join(' '), names) ?? nearest(first, names)
  const hint = guess === undefined ? '"sentinel help" lists them' : `did you mean "sentinel ${guess}"?`
  throw new SentinelError('USAGE', `unknown command "${first}"; ${hint}`)
}

function usage(command: AnyCommand, message: string): SentinelError {
  return new SentinelError('USAGE', `${message}; "sentinel help ${command.name}" shows how it is used`)
}

function read(command: AnyCommand, flags: Flags, args: readonly string[]) {
  const options = Object.fromEntries(
    Object.entries(flags).map(([name, flag]) => [
      name,
      {
        type: flag.type === 'boolean' ? ('boolean' as const) : ('string' as const),
        ...(flag.short === undefined ? {} : { short: flag.short }),
      },
    ]),
  )
  // Not strict: parseArgs' own messages name no likely flag.
  const { tokens, positionals } = parseArgs({
    args: [...args],
    options,
    strict: false,
    tokens: true,
    allowPositionals: true,
  })
  const values = new Map<string, string[]>()
  for (const token of tokens) {
    if (token.kind !== 'option') continue
    const flag = Object.hasOwn(flags, token.name) ? flags[token.name] : undefined
    if (flag === undefined) throw usage(command, unknownFlag(token.rawName, Object.keys(flags)))
    if (flag.type === 'boolean') {
      if (token.value !== undefined) throw usage(command, `${token.rawName} takes no value, found "${token.value}"`)
    } else if (token.value === undefined || isFlagLike(token, flag)) {
      throw usage(command, `${token.rawName} needs a value: ${allowed(flag)}`)
    }
    if (values.has(token.name) && flag.type !== 'list') throw usage(command, `${token.rawName} is given twice`)
    values.set(token.name, [...(values.get(token.name) ?? []), token.value ?? ''])
  }
  return { values, positionals }
}

/** `--rate --yes`: the value was forgotten; `--offset -5` is a number, `--name=-x` is meant. */
function isFlagLike(token: { value?: string | undefined; inlineValue?: boolean | undefined }, flag: AnyFlag): boolean {
  if (token.inlineValue === true || token.value?.startsWith('-') !== true || token.value === '-') return false
  return !((flag.type === 'number' || flag.type === 'integer') && Number.isFinite(Number(token.value)))
}

function unknownFlag(rawName: string, known: readonly string[]): string {
  const guess = nearest(rawName.replace(/^-+/, ''), known)
  return guess === undefined ? `unknown flag ${rawName}` : `unknown flag ${rawName}; did you mean --${guess}?`
}

function flagValue(
  command: AnyCommand,
  { name, flag, given }: { name: string; flag: AnyFlag; given: readonly string[] | undefined },
): FlagTypes[keyof FlagTypes] | undefined {
  if (flag.type === 'boolean') return given !== undefined || flag.default === true
  if (given === undefined) {
    if (flag.required === true) throw usage(command, `--${name} is missing: ${flag.description}`)
    return flag.default
  }
  const text = given.at(-1)!
  const value = flag.type === 'list' ? listOf(given, flag) : singleValue(text, flag)
  if (value !== undefined) return value
  const guess = nearest(text, flag.choices ?? [])
  const hint = guess === undefined ? '' : `; did you mean "${guess}"?`
  throw usage(command, `--${name}: found "${given.join(',')}"; allowed: ${allowed(flag)}${hint}`)
}

function listOf(given: readonly string[], flag: AnyFlag): readonly string[] | undefined {
  const items = given.flatMap((text) => text.split(',')).map((item) => item.trim())
  const isAllowed = (item: string) => item !== '' && (flag.choices === undefined || flag.choices.includes(item))
  return items.every(isAllowed) ? [...new Set(items)] : undefined
}

function singleValue(text: string, flag: AnyFlag): string | number | undefined {
  if (flag.type === 'text') return flag.choices === undefined || flag.choices.includes(text) ? text : undefined
  const value = numberOf(text, flag.type)
  if (
    value === undefined ||
    value < (flag.min ?? Number.NEGATIVE_INFINITY) ||
    value > (flag.max ?? Number.POSITIVE_INFINITY)
  ) {
    return undefined
  }
  return value
}

function numberOf(text: string, type: AnyFlag['type']): number | undefined {
  if (type === 'time') return readTime(text)
  if (type === 'duration') {
    const parsed = duration.safeParse(/^\d+$/.test(text) ? Number(text) : text)
    return parsed.success ? parsed.data : undefined
  }
  const value = text.trim() === '' ? Number.NaN : Number(text)
  return Number.isFinite(value) && (type === 'number' || Number.isSafeInteger(value)) ? value : undefined
}

/** What a flag takes, in words. */
export function allowed(flag: AnyFlag): string {
  if (flag.choices !== undefined) return `${flag.type === 'list' ? 'some of ' : ''}${flag.choices.join(', ')}`
  const write = (bound: number) => (flag.type === 'duration' ? durationText(bound) : String(bound))
  const range = [
    ...(flag.min === undefined ? [] : [`at least ${write(flag.min)}`]),
    ...(flag.max === undefined ? [] : [`at most ${write(flag.max)}`]),
  ]
  const words: Record<keyof FlagTypes, string> = {
    boolean: 'nothing',
    text: 'text',
    number: 'a number',
    integer: 'a whole number',
    duration: 'a duration such as 30s, 5m or 2h',
    time: 'a time such as 2026-01-05T10:00:00Z (UTC without a zone)',
    list: 'names separated by commas',
  }
  return [words[flag.type], ...range].join(', ')
}

function checkedPositionals(command: AnyCommand, given: readonly string[]): readonly string[] {
  const declared: readonly Positional[] = command.positionals
  const missing = declared.find((positional, index) => positional.required === true && given[index] === undefined)
  if (missing !== undefined) throw usage(command, `<${missing.name}> is missing: ${missing.description}`)
  if (given.length > declared.length && declared.at(-1)?.rest !== true) {
    const extra = given[declared.length]!
    const guess = nearest(extra, Object.keys(command.flags))
    throw usage(
      command,
      `"${extra}" is one argument too many${guess === undefined ? '' : `; did you mean --${guess}?`}`,
    )
  }
  return given
}
