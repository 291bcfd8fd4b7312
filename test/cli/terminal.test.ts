import { PassThrough } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { defineCommand } from '../../stream/cli/args.ts'
import { commandHelp, overviewHelp } from '../../stream/cli/help.ts'
import { clean, createTerminal, grouped, type TerminalOptions } from '../../stream/cli/terminal.ts'

function fake(
  options: {
    isTTY?: boolean
    noColor?: boolean
    dumb?: boolean
    columns?: number
    input?: TerminalOptions['input']
    interrupt?: () => void
  } = {},
) {
  const written = { out: '', error: '' }
  let nowMs = 0
  const stream = (name: keyof typeof written) => ({
    isTTY: options.isTTY ?? false,
    columns: options.columns ?? 80,
    write: (text: string) => {
      written[name] += text
      return true
    },
    // what readline asks of a stream that is a terminal
    on: () => {},
    removeListener: () => {},
  })
  const terminal = createTerminal({
    output: stream('out'),
    errorOutput: stream('error'),
    wishes: { noColor: options.noColor ?? false, dumb: options.dumb ?? false },
    clock: () => nowMs,
    ...(options.input === undefined ? {} : { input: options.input }),
    ...(options.interrupt === undefined ? {} : { interrupt: options.interrupt }),
  })
  return { terminal, written, wait: (ms: number) => (nowMs += ms) }
}

const esc = '\u001b'

describe('terminal', () => {
  it('colours only a terminal whose user wants it', () => {
    expect(fake({ isTTY: true }).terminal.style('red', 'no')).toBe(`${esc}[31mno${esc}[0m`)
    expect(fake({ isTTY: true, noColor: true }).terminal.style('red', 'no')).toBe('no')
    expect(fake({ isTTY: true, dumb: true }).terminal.style('red', 'no')).toBe('no')
    expect(fake().terminal.style('red', 'no')).toBe('no')
  })

  it('keeps results apart from what it says about them', () => {
    const { terminal, written } = fake()
    terminal.print('result')
    terminal.note('going on')
    terminal.warn('odd')
    terminal.fail('wrong')
    expect(written).toEqual({ out: 'result\n', error: 'going on\nwarning: odd\nerror: wrong\n' })
  })

  it('draws progress in place on a terminal, and lines around it', () => {
    const { terminal, written, wait } = fake({ isTTY: true, noColor: true })
    const progress = terminal.progress({ label: 'reading', total: 2000, unit: 'records' })
    progress.update(1000, 'logs')
    expect(written.error).toContain(
      `\rreading ${'█'.repeat(12)}${'░'.repeat(12)} 50 %, 1,000 of 2,000 records, logs${esc}[K`,
    )
    const before = written.error.length
    progress.update(1001)
    expect(written.error.length).toBe(before) // too soon
    wait(200)
    terminal.note('a line')
    expect(written.error).toContain(`\r${esc}[Ka line\n\rreading`)
    progress.finish('all read')
    expect(written.error.endsWith(`\r${esc}[Kall read\n`)).toBe(true)
    terminal.note('after')
    expect(written.error.endsWith('all read\nafter\n')).toBe(true)
  })

  it('cuts what is drawn to one line', () => {
    const { terminal, written } = fake({ isTTY: true, columns: 20 })
    terminal.progress({ label: 'reading a long name' }).update(5)
    expect([...written.error.replace('\r', '').replace(`${esc}[K`, '')].length).toBeLessThan(20)
  })

  it('takes a terminal of no size for one of 80 columns', () => {
    const { terminal, written } = fake({ isTTY: true, columns: 0 })
    expect(terminal.columns).toBe(80)
    terminal.progress({ label: 'reading', total: 10 }).update(5)
    expect(written.error).toContain('50 %, 5 of 10')
  })

  it('writes plain lines elsewhere, seldom', () => {
    const { terminal, written, wait } = fake()
    const progress = terminal.progress({ label: 'reading', unit: 'records' })
    progress.update(1)
    wait(9999)
    progress.update(2)
    expect(written.error).toBe('')
    wait(1)
    progress.update(3000)
    progress.update(3001)
    progress.finish('all read')
    expect(written.error).toBe('reading: 3,000 records, after 10 s\nall read\n')
  })

  it('lays out tables, and lets no text from a topic reach the terminal as it is', () => {
    const { terminal } = fake({ isTTY: true })
    const table = terminal.table(
      [{ title: 'incident' }, { title: 'n', align: 'right' }, { title: 'what' }],
      [
        ['a', 5, { text: 'drift', style: 'red' }],
        [`b${esc}[2Jc`, 12, 'é'],
      ],
    )
    expect(table.replaceAll(new RegExp(`${esc}\\[(1|31|0)m`, 'g'), '')).toBe(
      'incident   n  what\na          5  drift\nb�[2Jc    12  é',
    )
    expect(clean('a\u202eb\r\n\t')).toBe('a�b���')
  })

  it('asks a person, and answers null where there is none', async () => {
    expect(await fake().terminal.ask('Approve? ')).toBeNull()
    const input = Object.assign(new PassThrough(), { isTTY: true })
    const { terminal, written } = fake({ input })
    const answer = terminal.ask('Approve? ')
    input.write(' yes \n')
    expect(await answer).toBe('yes')
    expect(written.error).toContain('Approve? ')
    const ended = terminal.ask('Again? ')
    input.end()
    expect(await ended).toBeNull()
  })

  it('hands Ctrl-C at a question on, and gives way to what it brings about', async () => {
    const controller = new AbortController()
    const input = Object.assign(new PassThrough(), { isTTY: true, setRawMode: () => input })
    const { terminal, written } = fake({ isTTY: true, input, interrupt: () => controller.abort() })
    const answer = terminal.ask('Approve? ', controller.signal)
    input.write('\u0003')
    expect(await answer).toBeNull()
    expect(controller.signal.aborted).toBe(true)
    expect(written.error.endsWith('\n')).toBe(true)
  })

  it('writes lines above a question that waits', async () => {
    const input = Object.assign(new PassThrough(), { isTTY: true })
    const { terminal, written } = fake({ input })
    const answer = terminal.ask('Approve? ')
    terminal.note('meanwhile')
    expect(written.error).toBe(`Approve? \r${esc}[Kmeanwhile\nApprove? `)
    input.write('y\n')
    expect(await answer).toBe('y')
  })

  it('groups digits the same everywhere', () => {
    expect([0, 999, 1000, 1234567.25].map(grouped)).toEqual(['0', '999', '1,000', '1,234,567.25'])
  })
})

describe('help', () => {
  const command = defineCommand({
    name: 'produce',
    summary: 'send a file to a topic',
    description: 'Streams a file of any size.\nBad rows are reported.',
    flags: {
      file: { type: 'text', value: 'PATH', description: 'The file', required: true },
      rate: {
        type: 'number',
        description: 'Records a second, as an upper bound that holds over every second of the whole run',
        default: 1000,
      },
      every: { type: 'duration', description: 'Distance', default: 90_000 },
    },
    positionals: [{ name: 'topic', description: 'Where to', required: true }],
    examples: [{ line: 'sentinel produce logs --file app.log', what: 'Send a log' }],
    exitCodes: { 66: 'the file is not there' },
    run: async () => 0,
  })
  const terminal = { style: (_: string, text: string) => text, columns: 80 }

  it('shows a command', () => {
    const text = commandHelp(command, terminal)
    expect(text).toContain('sentinel produce <topic> --file PATH [flags]')
    expect(text).toContain('  # Send a log\n  sentinel produce logs --file app.log')
    expect(text).toContain('--file PATH')
    expect(text).toContain('default 90s')
    expect(text).toContain('66')
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(80)
  })

  it('shows all commands', () => {
    expect(overviewHelp([command], terminal, '0.1.0')).toContain('  produce  send a file to a topic')
  })
})
