/** Rows of CSV as RFC 4180 writes it, from a byte stream of any size, with bounded memory. */
import { withoutMark } from './lines.ts'

/** A row longer than this is bad: most likely a quote that was never closed. */
export const ROW_LENGTH_MAX = 1_000_000

export type CsvRow =
  | { readonly kind: 'row'; readonly line: number; readonly cells: readonly string[] }
  | { readonly kind: 'bad'; readonly line: number; readonly reason: string }

export interface CsvOptions {
  /** One character between cells, a comma where absent. */
  readonly delimiter?: string
}

/** What is read at the moment. `lost`: the row is bad, and what is left of its line is skipped. */
type State = 'cell start' | 'plain' | 'quoted' | 'quote in quoted' | 'lost'

/**
 * Cells may be quoted, with `""` for a quote, and then hold delimiters and line ends. Rows end with LF or CRLF; empty
 * lines are none. A malformed row is bad and reading goes on with the next line.
 *
 * @returns rows in order, each with the line (from 1) that it begins on
 */
export async function* readCsv(chunks: AsyncIterable<Uint8Array>, options: CsvOptions = {}): AsyncGenerator<CsvRow> {
  const decoder = new TextDecoder('utf-8')
  const parser = new CsvParser(options.delimiter ?? ',')
  for await (const chunk of withoutMark(chunks)) yield* parser.push(decoder.decode(chunk, { stream: true }))
  yield* parser.push(decoder.decode())
  yield* parser.finish()
}

class CsvParser {
  readonly #delimiter: string
  #state: State = 'cell start'
  #cells: string[] = []
  #cell = ''
  #rowLength = 0
  #line = 1
  #rowLine = 1

  constructor(delimiter: string) {
    this.#delimiter = delimiter
  }

  *push(text: string): Generator<CsvRow> {
    for (let index = 0; index < text.length; index++) {
      const character = text[index]!
      if (++this.#rowLength > ROW_LENGTH_MAX && this.#state !== 'lost') {
        yield this.#lose(`more than ${ROW_LENGTH_MAX} characters: is a quote not closed?`)
      }
      const found = this.#take(character)
      if (found !== undefined) yield found
    }
  }

  *finish(): Generator<CsvRow> {
    if (this.#state === 'quoted') yield this.#lose('a quote is not closed')
    else if (this.#state !== 'lost') {
      const row = this.#endRow()
      if (row !== undefined) yield row
    }
  }

  #take(character: string): CsvRow | undefined {
    const isLineEnd = character === '\n'
    if (isLineEnd) this.#line++
    switch (this.#state) {
      case 'quoted':
        if (character === '"') this.#state = 'quote in quoted'
        else this.#cell += character
        return undefined
      case 'lost':
        if (isLineEnd) this.#startRow()
        return undefined
      default:
        if (isLineEnd) return this.#endRow()
        if (character === this.#delimiter) this.#endCell()
        else return this.#takeInCell(character)
        return undefined
    }
  }

  #takeInCell(character: string): CsvRow | undefined {
    if (this.#state === 'quote in quoted') {
      if (character === '"') this.#state = 'quoted'
      else if (character !== '\r') return this.#lose('text after a closing quote')
      if (character === '"') this.#cell += character
      return undefined
    }
    if (character === '"') {
      if (this.#state === 'plain') return this.#lose('a quote inside a cell that is not quoted')
      this.#state = 'quoted'
      return undefined
    }
    this.#state = 'plain'
    this.#cell += character
    return undefined
  }

  #endCell(): void {
    this.#cells.push(this.#cell)
    this.#cell = ''
    this.#state = 'cell start'
  }

  #endRow(): CsvRow | undefined {
    if (this.#state === 'plain' && this.#cell.endsWith('\r')) this.#cell = this.#cell.slice(0, -1)
    const isEmpty = this.#cells.length === 0 && this.#cell === '' && this.#state !== 'quote in quoted'
    this.#endCell()
    const row = { kind: 'row', line: this.#rowLine, cells: this.#cells } as const
    this.#startRow()
    return isEmpty ? undefined : row
  }

  #startRow(): void {
    this.#cells = []
    this.#cell = ''
    this.#state = 'cell start'
    this.#rowLength = 0
    this.#rowLine = this.#line
  }

  #lose(reason: string): CsvRow {
    const line = this.#rowLine
    this.#cells = []
    this.#cell = ''
    this.#state = 'lost'
    return { kind: 'bad', line, reason }
  }
}
