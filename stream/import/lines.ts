/** Lines of a byte stream of any size, with bounded memory. */

/** A line longer than this is not sent: brokers refuse messages over a megabyte by default. */
export const LINE_BYTES_MAX = 1_000_000

export type Line =
  | { readonly kind: 'line'; readonly line: number; readonly bytes: Uint8Array }
  | { readonly kind: 'bad'; readonly line: number; readonly reason: string }

const LF = 10
const CR = 13

/**
 * Cuts at LF or CRLF; the last line needs neither. A byte order mark is left out, empty lines are lines.
 *
 * @returns lines in order, numbered from 1; one that is too long is bad and its rest skipped
 */
export async function* readLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Line> {
  let held: Uint8Array[] = []
  let heldBytes = 0
  let line = 1
  const take = (): Line => {
    const found = lineOf(line, held, heldBytes)
    held = []
    heldBytes = 0
    line++
    return found
  }
  const hold = (bytes: Uint8Array) => {
    // What is too long is only counted, but for one byte too many.
    if (heldBytes <= LINE_BYTES_MAX + 1) held.push(bytes.subarray(0, LINE_BYTES_MAX + 2 - heldBytes))
    heldBytes += bytes.length
  }
  for await (const chunk of withoutMark(chunks)) {
    let start = 0
    for (let end = chunk.indexOf(LF); end !== -1; end = chunk.indexOf(LF, start)) {
      hold(chunk.subarray(start, end))
      yield take()
      start = end + 1
    }
    if (start < chunk.length) hold(chunk.slice(start)) // a copy: the reader may use the chunk's memory again
  }
  if (heldBytes > 0) yield take()
}

function lineOf(line: number, held: readonly Uint8Array[], heldBytes: number): Line {
  const bytes = held.length === 1 ? held[0]! : Buffer.concat(held)
  const end = bytes.length > 0 && bytes[bytes.length - 1] === CR ? bytes.length - 1 : bytes.length
  if (heldBytes - (bytes.length - end) > LINE_BYTES_MAX) {
    return { kind: 'bad', line, reason: `${heldBytes} bytes; at most ${LINE_BYTES_MAX} fit into a record` }
  }
  return { kind: 'line', line, bytes: bytes.subarray(0, end) }
}

const mark = [0xef, 0xbb, 0xbf]

/** The chunks without the byte order mark that some programs write first. Empty chunks are left out. */
export async function* withoutMark(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let first: Uint8Array | undefined = new Uint8Array(0)
  for await (const chunk of chunks) {
    if (first === undefined) {
      if (chunk.length > 0) yield chunk
      continue
    }
    first = first.length === 0 ? chunk : Buffer.concat([first, chunk])
    if (first.length < mark.length) continue
    yield mark.every((byte, index) => first![index] === byte) ? first.subarray(mark.length) : first
    first = undefined
  }
  if (first !== undefined && first.length > 0) yield first
}
