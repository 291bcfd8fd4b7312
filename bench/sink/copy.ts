/** `copy … from stdin` on the client that the sink uses, and rows in both of its formats. */
import type { Connection, Submittable } from 'pg'
import type { Client } from '../../stream/io/postgres/pool.ts'

export type CopyFormat = 'text' | 'binary'
export type Cell = string | number | Uint8Array | null

/** One statement's rows, a column after the other. */
export interface Columns {
  readonly table: string
  readonly names: readonly string[]
  readonly types: readonly string[]
  readonly cells: readonly (readonly Cell[])[]
  readonly rows: number
}

/** @param into where to, if not the table itself */
export function copyInto(client: Client, columns: Columns, options: { into?: string; format: CopyFormat }) {
  const { format, into = columns.table } = options
  const data = format === 'binary' ? binary(columns) : text(columns)
  const statement = `copy ${into} (${columns.names.join(', ')}) from stdin (format ${format})`
  return new Promise<void>((resolve, reject) => {
    client.query(new Copy(statement, data, (error) => (error == null ? resolve() : reject(error))))
  })
}

type Wire = Connection & { query(text: string): void; sendCopyFromChunk(chunk: Buffer): void; endCopyFrom(): void }

class Copy implements Submittable {
  /** The client wraps it, to end its own waiting. */
  callback: (error?: Error | null) => void
  private readonly statement: string
  private readonly data: Buffer
  private failure: Error | null = null

  constructor(statement: string, data: Buffer, callback: (error?: Error | null) => void) {
    this.statement = statement
    this.data = data
    this.callback = callback
  }

  submit(connection: Connection): void {
    ;(connection as Wire).query(this.statement)
  }

  handleCopyInResponse(connection: Wire): void {
    connection.sendCopyFromChunk(this.data)
    connection.endCopyFrom()
  }

  handleCommandComplete(): void {}

  handleError(error: Error): void {
    this.failure = error
    this.callback(error)
  }

  handleReadyForQuery(): void {
    if (this.failure === null) this.callback(null)
  }
}

const escapes: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' }

function text({ cells, rows }: Columns): Buffer {
  const lines: string[] = []
  for (let row = 0; row < rows; row++) {
    const line = cells.map((column) => {
      const cell = column[row]!
      if (cell === null) return '\\N'
      return String(cell).replace(/[\\\n\r\t]/g, (character) => escapes[character]!)
    })
    lines.push(line.join('\t'))
  }
  return Buffer.from(`${lines.join('\n')}\n`)
}

const signature = Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1')
/** PostgreSQL counts from the begin of 2000. */
const epochMs = Date.UTC(2000, 0, 1)

/** @see https://www.postgresql.org/docs/17/sql-copy.html, "Binary Format" */
function binary({ cells, types, rows }: Columns): Buffer {
  const parts = new Bytes()
  parts.bytes(signature)
  parts.int32(0)
  parts.int32(0)
  for (let row = 0; row < rows; row++) {
    parts.int16(cells.length)
    for (const [index, column] of cells.entries()) field(parts, types[index]!, column[row]!)
  }
  parts.int16(-1)
  return parts.whole()
}

function field(parts: Bytes, type: string, cell: Cell): void {
  if (cell === null) {
    parts.int32(-1)
  } else if (type === 'text' || type === 'json') {
    parts.text(cell as string)
  } else {
    parts.int32(8)
    if (type === 'float8') parts.double(Number(cell))
    else if (type === 'bigint') parts.int64(BigInt(cell as number))
    else if (type === 'timestamptz') parts.int64(BigInt(Date.parse(cell as string) - epochMs) * 1_000n)
    else throw new Error(`no binary form of ${type} is written here`)
  }
}

/** A buffer that grows to twice its size. */
class Bytes {
  private buffer = Buffer.allocUnsafe(1 << 20)
  private length = 0

  int16(value: number): void {
    this.length = this.room(2).writeInt16BE(value, this.length)
  }

  int32(value: number): void {
    this.length = this.room(4).writeInt32BE(value, this.length)
  }

  int64(value: bigint): void {
    this.length = this.room(8).writeBigInt64BE(value, this.length)
  }

  double(value: number): void {
    this.length = this.room(8).writeDoubleBE(value, this.length)
  }

  bytes(value: Buffer): void {
    this.room(value.length).set(value, this.length)
    this.length += value.length
  }

  /** With its length before it. */
  text(value: string): void {
    const room = this.room(4 + 3 * value.length)
    const written = room.write(value, this.length + 4)
    room.writeInt32BE(written, this.length)
    this.length += 4 + written
  }

  whole(): Buffer {
    return this.buffer.subarray(0, this.length)
  }

  private room(bytes: number): Buffer {
    if (this.length + bytes > this.buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(2 * this.buffer.length, this.length + bytes))
      this.buffer.copy(larger, 0, 0, this.length)
      this.buffer = larger
    }
    return this.buffer
  }
}
