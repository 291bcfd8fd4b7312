/** Histograms as text: two sides on the same bins, a row a bin. */
import { percent } from './figures.ts'

export interface BarRow {
  readonly label: string
  /** Shares of either side, [0, 1]. */
  readonly reference: number
  readonly window: number
}

const BAR_MAX = 26
/** Below it there are no bars, only shares. */
const BAR_MIN = 4
const REFERENCE = '  reference'
const WINDOW = '  window'
/** Of a label, and of the share of a line that it takes at most. */
const LABEL_MAX = 28
const LABEL_SHARE = 0.3
const SHARE_WIDTH = 7
const eighths = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'] as const
const levels = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'] as const

/** Both sides beside each other; bins that are empty on both are left out. Lines are at most `width` wide, from 36 on. */
export function sideBySide(all: readonly BarRow[], width: number): string[] {
  const shown = all.filter(({ reference, window }) => reference > 0 || window > 0)
  if (shown.length === 0) return []
  const labelMax = Math.min(LABEL_MAX, Math.floor(LABEL_SHARE * width))
  const labelWidth = Math.min(labelMax, Math.max(...shown.map(({ label }) => lengthOf(label))))
  const room = Math.floor((width - labelWidth - 2 * (SHARE_WIDTH + 3)) / 2)
  const barWidth = room < BAR_MIN ? 0 : Math.min(BAR_MAX, room)
  const sideWidth = Math.max(lengthOf(REFERENCE), SHARE_WIDTH + 1 + barWidth)
  const largest = Math.max(...shown.flatMap(({ reference, window }) => [reference, window]))
  const side = (share: number): string => {
    return padded(`${percent(share).padStart(SHARE_WIDTH)} ${bar(share / largest, barWidth)}`, sideWidth)
  }
  const line = (label: string, left: string, right: string): string =>
    `${padded(cut(label, labelWidth), labelWidth)}  ${left}  ${right}`.trimEnd()
  return [
    line('', padded(REFERENCE, sideWidth), padded(WINDOW, sideWidth)),
    ...shown.map(({ label, reference, window }) => line(label, side(reference), side(window))),
  ]
}

/** What is more than nothing shows at least an eighth. */
function bar(share: number, width: number): string {
  const units = share > 0 && width > 0 ? Math.max(1, Math.round(share * width * 8)) : 0
  return '█'.repeat(Math.floor(units / 8)) + eighths[units % 8]
}

/** A line of levels, of a course of numbers that are not negative. @example `▁▁▃█` */
export function sparkline(values: readonly number[], atLeast = 0): string {
  const largest = Math.max(atLeast, ...values)
  return values.map((value) => levels[largest > 0 ? Math.round((value / largest) * 7) : 0]).join('')
}

const lengthOf = (text: string): number => [...text].length

function padded(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - lengthOf(text)))
}

function cut(text: string, width: number): string {
  const characters = [...text]
  return characters.length <= width ? text : `${characters.slice(0, width - 1).join('')}…`
}

/** Words in lines of at most `width`; those after the first are indented. A word that is longer has a line of its own. */
export function wrapped(text: string, options: { width: number; indent: number; hanging?: number }): string[] {
  const { width, indent, hanging = indent } = options
  const lines: string[] = []
  let line = ' '.repeat(indent)
  let isEmpty = true
  for (const word of text.split(' ')) {
    if (!isEmpty && lengthOf(line) + 1 + lengthOf(word) > width) {
      lines.push(line)
      line = ' '.repeat(hanging)
      isEmpty = true
    }
    line += isEmpty ? word : ` ${word}`
    isEmpty = false
  }
  return [...lines, line]
}
