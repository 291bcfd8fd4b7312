/** Help that teaches: what a command is for, lines that work, then its flags. */
import { durationText } from '../config/json-schema.ts'
import { type AnyCommand, allowed, type Flags, globalFlags } from './args.ts'
import type { Terminal } from './terminal.ts'

const WIDTH_MAX = 100

/** Exit codes that every command shares; the numbers are those of sysexits.h. */
export const sharedExitCodes: Readonly<Record<number, string>> = {
  0: 'done',
  1: 'done, and the answer is no (a check that failed)',
  64: 'the command line is wrong',
  65: 'the audit does not hold',
  66: 'an input is not there or cannot be read',
  69: 'Kafka, the database or the API is away',
  70: 'a broken rule of the log or of the program',
  75: 'ended for a reason that a restart mends',
  77: 'not allowed',
  78: 'the configuration is wrong',
  130: 'interrupted',
}

type Styler = Pick<Terminal, 'style'>

/** What `sentinel help` prints: every command with its summary, in the order given. */
export function overviewHelp(commands: readonly AnyCommand[], terminal: Styler, version: string): string {
  const width = Math.max(...commands.map((command) => command.name.length))
  return [
    `sentinel ${version}: notices when data, a model or a service drifts or breaks, and asks before it acts`,
    '',
    terminal.style('bold', 'Usage'),
    '  sentinel <command> [flags]',
    '',
    terminal.style('bold', 'Commands'),
    ...commands.map((command) => `  ${command.name.padEnd(width)}  ${command.summary}`),
    '',
    terminal.style('bold', 'New here?'),
    '  sentinel demo                see the whole of it at work, on services of its own',
    '  sentinel doctor              see whether Kafka and the database can be reached',
    '  sentinel help <command>      see what a command does, with examples',
  ].join('\n')
}

/** What `sentinel help <command>` prints. */
export function commandHelp(command: AnyCommand, terminal: Styler & Pick<Terminal, 'columns'>): string {
  const columns = Math.min(terminal.columns, WIDTH_MAX)
  const section = (title: string, lines: readonly string[]) =>
    lines.length === 0 ? [] : ['', terminal.style('bold', title), ...lines]
  return [
    `sentinel ${command.name}: ${command.summary}`,
    '',
    ...command.description.split('\n').flatMap((paragraph) => wrap(paragraph, columns, '')),
    ...section('Usage', [`  ${usageLine(command)}`]),
    ...section(
      'Examples',
      command.examples.flatMap(({ line, what }) => [...wrap(`# ${what}`, columns, '  '), `  ${line}`]),
    ),
    ...section(
      'Arguments',
      command.positionals.flatMap((one) => entry(`<${one.name}>`, one.description, columns)),
    ),
    ...section('Flags', flagLines(command.flags, columns)),
    ...section('Flags of every command', flagLines(globalFlags, columns)),
    ...section('Exit codes', exitCodeLines(command, columns)),
  ].join('\n')
}

function usageLine(command: AnyCommand): string {
  const required = Object.entries(command.flags as Flags)
    .filter(([, flag]) => flag.required === true)
    .map(([name, flag]) => `--${name} ${flag.value ?? 'VALUE'}`)
  const positionals = command.positionals.map((one) => {
    const name = `<${one.name}>${one.rest === true ? '…' : ''}`
    return one.required === true ? name : `[${name}]`
  })
  return ['sentinel', command.name, ...positionals, ...required, '[flags]'].join(' ')
}

function flagLines(flags: Flags, columns: number): string[] {
  return Object.entries(flags).flatMap(([name, flag]) => {
    const short = flag.short === undefined ? '' : `-${flag.short}, `
    const value = flag.type === 'boolean' ? '' : ` ${flag.value ?? 'VALUE'}`
    const notes = [
      ...(flag.required === true ? ['required'] : []),
      ...(flag.choices === undefined && flag.type !== 'duration' && flag.type !== 'time' ? [] : [allowed(flag)]),
      ...(flag.default === undefined ? [] : [`default ${defaultText(flag)}`]),
    ]
    return entry(
      `${short}--${name}${value}`,
      `${flag.description}${notes.length === 0 ? '' : ` (${notes.join('; ')})`}`,
      columns,
    )
  })
}

function defaultText(flag: Flags[string]): string {
  const value = flag.default
  if (flag.type === 'duration') return durationText(value as number)
  if (flag.type === 'time') return new Date(value as number).toISOString()
  return Array.isArray(value) ? value.join(',') : String(value)
}

function exitCodeLines(command: AnyCommand, columns: number): string[] {
  // 1 and 65 mean something of their own where they occur
  const { 1: _no, 65: _broken, ...shared } = sharedExitCodes
  const codes = { ...shared, ...command.exitCodes }
  return Object.entries(codes).flatMap(([code, meaning]) => entry(code, meaning as string, columns))
}

const ENTRY_WIDTH = 26

/** `  --flag VALUE    what it is`, wrapped under itself; a long name has a line of its own. */
function entry(name: string, text: string, columns: number): string[] {
  const indent = ' '.repeat(ENTRY_WIDTH + 4)
  const lines = wrap(text, columns, indent)
  if (name.length > ENTRY_WIDTH) return [`  ${name}`, ...lines]
  return [`  ${name.padEnd(ENTRY_WIDTH)}  ${lines[0]!.trimStart()}`, ...lines.slice(1)]
}

function wrap(text: string, columns: number, indent: string): string[] {
  const lines: string[] = []
  let line = indent
  for (const word of text.split(' ')) {
    if (line !== indent && line.length + 1 + word.length > columns) {
      lines.push(line)
      line = indent
    }
    line += line === indent ? word : ` ${word}`
  }
  return [...lines, line]
}
