import { describe, expect, it } from 'vitest'
import { type AnyCommand, defineCommand, parseCommandLine } from '../../stream/cli/args.ts'
import { SentinelError } from '../../stream/errors.ts'

const replay = defineCommand({
  name: 'replay',
  summary: 'try a configuration on the past',
  description: 'Reads again.',
  flags: {
    from: { type: 'time', description: 'First event time', required: true },
    rate: { type: 'number', description: 'Records a second', min: 0 },
    partitions: { type: 'integer', description: 'So many', default: 4, min: 1, max: 100 },
    slide: { type: 'duration', description: 'Distance' },
    format: { type: 'text', description: 'Form', choices: ['table', 'json'], default: 'table', short: 'f' },
    roles: { type: 'list', description: 'Stages', choices: ['ingest', 'detect', 'respond'] },
    yes: { type: 'boolean', description: 'Asks nothing', short: 'y' },
  },
  positionals: [{ name: 'source', description: 'Which source' }],
  examples: [],
  async run({ flags }) {
    const from: number = flags.from
    const rate: number | undefined = flags.rate
    const isSilent: boolean = flags.yes
    return from + (rate ?? 0) > 0 && isSilent ? flags.partitions : 1
  },
})
const plain = (name: string): AnyCommand =>
  defineCommand({
    name,
    summary: name,
    description: name,
    flags: {},
    positionals: [],
    examples: [],
    run: async () => 0,
  })
const commands: readonly AnyCommand[] = [replay, plain('run'), plain('audit verify'), plain('config check')]

const parse = (line: string) => parseCommandLine(line === '' ? [] : line.split(' '), commands)
function flagsOf(line: string): Record<string, unknown> {
  const invocation = parse(line)
  if (invocation.kind !== 'run') throw new Error(`${line} is ${invocation.kind}`)
  return invocation.flags
}
function messageOf(line: string): string {
  try {
    parse(line)
  } catch (error) {
    expect(error).toBeInstanceOf(SentinelError)
    expect((error as SentinelError).code).toBe('USAGE')
    return (error as Error).message
  }
  throw new Error(`${line} is fine`)
}

describe('parseCommandLine', () => {
  it('reads every type of flag', () => {
    expect(
      flagsOf(
        'replay --from 2014-04-01 --rate=1e3 --slide 5m -f json --roles ingest,detect --roles respond -y --config a.yaml',
      ),
    ).toEqual({
      from: Date.UTC(2014, 3, 1),
      rate: 1000,
      partitions: 4,
      slide: 300_000,
      format: 'json',
      roles: ['ingest', 'detect', 'respond'],
      yes: true,
      config: 'a.yaml',
      help: false,
    })
  })

  it('finds commands of one word and of two, and their arguments', () => {
    expect(parse('audit verify')).toMatchObject({ kind: 'run', command: { name: 'audit verify' } })
    expect(parse('replay logs --from 2014-04-01')).toMatchObject({ positionals: ['logs'] })
    expect(parse('replay --from 2014-04-01 -- --odd')).toMatchObject({ positionals: ['--odd'] })
  })

  it('gives help, for all and for one', () => {
    expect(parse('')).toEqual({ kind: 'help', command: undefined })
    expect(parse('--help')).toEqual({ kind: 'help', command: undefined })
    expect(parse('help audit verify')).toMatchObject({ kind: 'help', command: { name: 'audit verify' } })
    expect(parse('replay --help')).toMatchObject({ kind: 'help', command: { name: 'replay' } })
    expect(parse('--version')).toEqual({ kind: 'version' })
  })

  it.each([
    ['replya', 'unknown command "replya"; did you mean "sentinel replay"?'],
    ['audit', '"audit" says what to look at, not what to do; there is: sentinel audit verify'],
    ['audit verfy', 'unknown command "audit verfy"; there is: sentinel audit verify'],
    ['xyzzy', 'unknown command "xyzzy"; "sentinel help" lists them'],
    ['--yes run', 'the command comes first'],
    ['run --yse', 'unknown flag --yse; "sentinel help run"'],
    ['replay --from 2014-04-01 --ratee 1', 'unknown flag --ratee; did you mean --rate?'],
    ['replay', '--from is missing: First event time; "sentinel help replay"'],
    ['replay --from', '--from needs a value: a time such as'],
    ['replay --from --yes', '--from needs a value'],
    ['replay --from never', '--from: found "never"; allowed: a time such as'],
    ['replay --from 2014-04-01 --rate -5', '--rate: found "-5"; allowed: a number, at least 0'],
    [
      'replay --from 2014-04-01 --partitions 1.5',
      '--partitions: found "1.5"; allowed: a whole number, at least 1, at most 100',
    ],
    ['replay --from 2014-04-01 --format jsn', 'allowed: table, json; did you mean "json"?'],
    [
      'replay --from 2014-04-01 --roles ingest,store',
      '--roles: found "ingest,store"; allowed: some of ingest, detect, respond',
    ],
    ['replay --from 2014-04-01 --yes=no', '--yes takes no value'],
    ['replay --from 2014-04-01 --from 2014-04-02', '--from is given twice'],
    ['replay --from 2014-04-01 logs metrics', '"metrics" is one argument too many'],
    ['replay --from 2014-04-01 --slide soon', 'allowed: a duration such as'],
  ])('refuses %s', (line, message) => {
    expect(messageOf(line)).toContain(message)
  })

  it('knows no flag by the name of a member of every object', () => {
    expect(messageOf('run --constructor')).toContain('unknown flag --constructor')
    expect(messageOf('run --__proto__')).toContain('unknown flag --__proto__')
  })
})
