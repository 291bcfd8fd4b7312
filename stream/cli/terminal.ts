/** Where commands write: results to standard output, all else to standard error; drawn on a terminal, plain elsewhere. */
import { createInterface } from 'node:readline/promises'

export interface Output {
  write(text: string): unknown
  readonly isTTY?: boolean | undefined
  readonly columns?: number | undefined
}

export interface TerminalOptions {
  readonly output: Output
  readonly errorOutput: Output
  readonly input?: NodeJS.ReadableStream & { readonly isTTY?: boolean | undefined }
  /** NO_COLOR, and TERM=dumb or CI: see `config/environment.ts`. */
  readonly wishes: { readonly noColor: boolean; readonly dumb: boolean }
  /** Ctrl-C while a question waits: a terminal that reads lines takes it for itself, and no signal comes. */
  readonly interrupt?: () => void
  /** Monotonic ms, to draw seldom. */
  readonly clock?: () => number
}

export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan'

export interface Cell {
  readonly text: string
  readonly style?: Style
}

export interface Column {
  readonly title: string
  readonly align?: 'left' | 'right'
}

export interface Progress {
  /** @param detail what is done at the moment, a few words */
  update(done: number, detail?: string): void
  /** Ends it, with a line that stays when there is something to say. */
  finish(text?: string): void
}

export interface Terminal {
  /** Whether a person sees lines being drawn again: progress moves, questions can be asked. */
  readonly isInteractive: boolean
  /** Whether somebody can answer a question here. */
  readonly canAsk: boolean
  readonly columns: number
  /** A line of the result, to standard output. */
  print(line?: string): void
  /** A line about what is going on, to standard error. */
  note(line: string): void
  warn(line: string): void
  fail(line: string): void
  style(style: Style, text: string): string
  table(columns: readonly Column[], rows: readonly (readonly (string | number | Cell)[])[]): string
  /** One at a time. Without a total: a spinner that counts. */
  progress(options: { readonly label: string; readonly total?: number; readonly unit?: string }): Progress
  /** An answer without blanks around it; null where nobody can answer, or the question was taken back by `signal`. */
  ask(question: string, signal?: AbortSignal): Promise<string | null>
}

const styleCodes: Readonly<Record<Style, number>> = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 }
const DRAW_INTERVAL_MS = 100
const PLAIN_INTERVAL_MS = 10_000
const BAR_WIDTH = 24
const DEFAULT_COLUMNS = 80
const frames = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'] as const

export function createTerminal(options: TerminalOptions): Terminal {
  const { output, errorOutput, wishes } = options
  const clock = options.clock ?? (() => performance.now())
  const isInteractive = errorOutput.isTTY === true && !wishes.dumb
  const isColored = (to: Output) => to.isTTY === true && !wishes.noColor && !wishes.dumb
  let drawn = ''
  let draw: (() => string) | undefined
  let question: { isDrawn: boolean; readonly draw: () => void } | undefined

  const clear = () => {
    if (drawn !== '' || question?.isDrawn === true) errorOutput.write('\r\u001b[K')
    drawn = ''
    if (question !== undefined) question.isDrawn = false
  }
  const redraw = () => {
    question?.draw()
    if (draw === undefined) return
    const text = draw()
    if (text === drawn) return
    errorOutput.write(`\r${text}\u001b[K`)
    drawn = text
  }
  const line = (to: Output, text: string) => {
    clear()
    to.write(`${text}\n`)
    redraw()
  }
  const styled = (to: Output, style: Style, text: string) =>
    isColored(to) ? `\u001b[${styleCodes[style]}m${text}\u001b[0m` : text

  const terminal: Terminal = {
    isInteractive,
    canAsk: options.input?.isTTY === true,
    get columns() {
      return columnsOf(output)
    },
    print: (text = '') => line(output, text),
    note: (text) => line(errorOutput, text),
    warn: (text) => line(errorOutput, `${styled(errorOutput, 'yellow', 'warning:')} ${text}`),
    fail: (text) => line(errorOutput, `${styled(errorOutput, 'red', 'error:')} ${text}`),
    style: (style, text) => styled(output, style, text),
    table: (columns, rows) => tableText(columns, rows, (style, text) => styled(output, style, text)),
    progress({ label, total, unit = '' }) {
      const startedMs = clock()
      let shownMs = isInteractive ? Number.NEGATIVE_INFINITY : startedMs
      let done = 0
      let detail = ''
      const text = () =>
        progressText({
          label,
          total,
          unit,
          done,
          detail,
          elapsedMs: clock() - startedMs,
          isInteractive,
          columns: columnsOf(errorOutput),
        })
      if (isInteractive) draw = text
      return {
        update(nowDone, nowDetail = '') {
          done = nowDone
          detail = nowDetail
          const nowMs = clock()
          if (nowMs - shownMs < (isInteractive ? DRAW_INTERVAL_MS : PLAIN_INTERVAL_MS)) return
          shownMs = nowMs
          if (isInteractive) redraw()
          else errorOutput.write(`${text()}\n`)
        },
        finish(last) {
          clear()
          if (draw === text) draw = undefined
          if (last !== undefined) errorOutput.write(`${last}\n`)
        },
      }
    },
    async ask(text, signal) {
      if (options.input?.isTTY !== true) return null
      clear()
      const held = draw
      draw = undefined
      const lines = createInterface({ input: options.input, output: errorOutput as NodeJS.WritableStream & Output })
      const asked = {
        isDrawn: true,
        draw() {
          if (signal?.aborted === true) return
          lines.prompt(true)
          asked.isDrawn = true
        },
      }
      let answer: string | null = null
      try {
        const closed = new Promise<null>((resolve) => lines.once('close', () => resolve(null)))
        if (options.interrupt !== undefined) lines.on('SIGINT', options.interrupt)
        const said = lines.question(text, signal === undefined ? {} : { signal }).then((line) => line.trim())
        question = asked
        answer = await Promise.race([said, closed])
      } catch (error) {
        if (signal?.aborted !== true) throw error
      } finally {
        question = undefined
        lines.close()
        // the cursor stands behind a question that nobody answered; one that was taken back readline has ended
        if (answer === null && asked.isDrawn && signal?.aborted !== true) errorOutput.write('\n')
        draw = held
      }
      return answer
    },
  }
  return terminal
}

/** A terminal without a size says 0. */
function columnsOf(to: Output): number {
  return to.columns || DEFAULT_COLUMNS
}

interface ProgressState {
  readonly label: string
  readonly total: number | undefined
  readonly unit: string
  readonly done: number
  readonly detail: string
  readonly elapsedMs: number
  readonly isInteractive: boolean
  readonly columns: number
}

function progressText(state: ProgressState): string {
  const { label, total, done, elapsedMs } = state
  const unit = state.unit === '' ? '' : ` ${state.unit}`
  const share = total === undefined || total <= 0 ? undefined : Math.min(1, done / total)
  const percent = share === undefined ? '' : `${Math.floor(share * 100)} %`
  const count = total === undefined ? `${grouped(done)}${unit}` : `${grouped(done)} of ${grouped(total)}${unit}`
  const words = [percent, count, state.detail].filter((word) => word !== '').join(', ')
  if (!state.isInteractive) return `${label}: ${words}, after ${Math.round(elapsedMs / 1000)} s`
  const filled = Math.round((share ?? 0) * BAR_WIDTH)
  const sign =
    share === undefined
      ? frames[Math.floor(elapsedMs / DRAW_INTERVAL_MS) % frames.length]!
      : `${'█'.repeat(filled)}${'░'.repeat(BAR_WIDTH - filled)}`
  return cut(`${label} ${sign} ${words}`, state.columns - 1)
}

/** 1234567 as `1,234,567`, whatever the machine's locale. */
export function grouped(value: number): string {
  const [whole = '', fraction] = String(value).split('.')
  const text = whole.replace(/\B(?=(\d{3})+(?!\d))/g, ',')
  return fraction === undefined ? text : `${text}.${fraction}`
}

/**
 * Text that came from a topic or a file, fit for a terminal: what could move the cursor, change colours or turn the
 * direction of writing is shown as `�`.
 */
export function clean(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, '�')
}

function cut(text: string, width: number): string {
  const characters = [...text]
  return characters.length <= width ? text : `${characters.slice(0, Math.max(0, width - 1)).join('')}…`
}

function tableText(
  columns: readonly Column[],
  rows: readonly (readonly (string | number | Cell)[])[],
  styled: (style: Style, text: string) => string,
): string {
  const cells = rows.map((row) => columns.map((_, index) => cellOf(row[index] ?? '')))
  const widths = columns.map((column, index) =>
    Math.max(width(column.title), ...cells.map((row) => width(row[index]!.text))),
  )
  const pad = (text: string, index: number) => {
    const blanks = ' '.repeat(widths[index]! - width(text))
    if (columns[index]!.align === 'right') return blanks + text
    return index === columns.length - 1 ? text : text + blanks
  }
  const head = columns.map((column, index) => styled('bold', pad(column.title, index))).join('  ')
  const body = cells.map((row) =>
    row
      .map((cell, index) =>
        cell.style === undefined ? pad(cell.text, index) : styled(cell.style, pad(cell.text, index)),
      )
      .join('  '),
  )
  return [head, ...body].join('\n')
}

function cellOf(value: string | number | Cell): Cell {
  if (typeof value === 'number') return { text: String(value) }
  return typeof value === 'string' ? { text: clean(value) } : { ...value, text: clean(value.text) }
}

function width(text: string): number {
  return [...text].length
}
