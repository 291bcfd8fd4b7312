/**
 * Reads Avro's binary encoding by a schema that `avsc` has parsed.
 *
 * avsc's own reader is not used for values: it takes a count of 2^40 items from four bytes and makes them, sets
 * `__proto__`, and refuses whole numbers beyond 2^53.
 *
 * @see Apache Avro 1.12 specification, "Binary encoding" and "Logical types"
 */
import avro, { type Type } from 'avsc'
import { type Cursor, Malformed } from './cursor.ts'
import { finite, integer, setMember, time, zigzag } from './plain.ts'

type Read = (cursor: Cursor) => unknown

/** Keeps what the schema says of a logical type; avsc on its own forgets it. */
class Marked extends avro.types.LogicalType {
  readonly scale: number
  constructor(schema: { scale?: unknown }, options?: unknown) {
    super(schema as never, options)
    const { scale } = schema
    this.scale = typeof scale === 'number' && Number.isSafeInteger(scale) && scale >= 0 && scale <= 1000 ? scale : 0
  }
}

/** Reads each logical type from its underlying value, a number (or bigint) or bytes. */
const logical: Readonly<Record<string, (value: unknown, type: Marked) => unknown>> = {
  'timestamp-millis': (value) => time(Number(value)),
  'timestamp-micros': (value) => time(Number(value) / 1e3),
  'timestamp-nanos': (value) => time(Number(value) / 1e6),
  'local-timestamp-millis': (value) => time(Number(value)),
  'local-timestamp-micros': (value) => time(Number(value) / 1e3),
  'local-timestamp-nanos': (value) => time(Number(value) / 1e6),
  date: (value) => time(Number(value) * 86_400_000),
  decimal: (value, { scale }) => decimal(value as Buffer, scale),
}

const DECIMAL_BYTES_MAX = 128

/** Two's complement, big-endian, times 10^-scale, as the nearest number. */
function decimal(bytes: Buffer, scale: number): number | null {
  if (bytes.length === 0) return 0
  if (bytes.length > DECIMAL_BYTES_MAX) return null
  const unscaled = BigInt.asIntN(bytes.length * 8, BigInt(`0x${bytes.toString('hex')}`))
  return finite(Number(`${unscaled}e-${scale}`))
}

/** For {@link avro.Type.forSchema}: without prototypes, so that no name of a schema finds what is not there. */
export function avroOptions() {
  const logicalTypes: Record<string, unknown> = Object.create(null)
  for (const name of Object.keys(logical)) logicalTypes[name] = Marked
  return { logicalTypes: logicalTypes as Record<string, never>, registry: Object.create(null) as Record<string, Type> }
}

/** @returns what reads one value of the type; costs time in proportion to the value */
export function avroReader(type: Type): Read {
  return new Readers().of(type)
}

class Readers {
  private readonly made = new Map<Type, Read>()

  of(type: Type): Read {
    const known = this.made.get(type)
    if (known !== undefined) return known
    let read: Read | undefined
    // a type may hold itself: by the time it is read, it is made
    this.made.set(type, (cursor) => read!(cursor))
    const kind = this.make(type)
    read = (cursor) => {
      cursor.count()
      return kind(cursor)
    }
    this.made.set(type, read)
    return read
  }

  private make(type: Type): Read {
    const { typeName } = type as { typeName: string }
    if (type instanceof Marked) return this.logical(type, typeName.slice('logical:'.length))
    switch (typeName) {
      case 'null':
        return () => null
      case 'boolean':
        return (cursor) => cursor.byte() !== 0
      case 'int':
      case 'long':
        return (cursor) => integer(zigzag(cursor.varint()))
      case 'float':
        return (cursor) => finite(cursor.float())
      case 'double':
        return (cursor) => finite(cursor.double())
      case 'string':
        return (cursor) => cursor.take(sized(cursor)).toString('utf8')
      case 'bytes':
      case 'fixed':
        return (cursor) => rawBytes(type, cursor).toString('base64')
      case 'enum':
        return enumeration((type as avro.types.EnumType).symbols)
      case 'record':
      case 'error':
        return this.record(type as avro.types.RecordType)
      case 'array':
        return this.array(this.of((type as avro.types.ArrayType).itemsType as Type))
      case 'map':
        return this.map(this.of((type as avro.types.MapType).valuesType as Type))
      default:
        if (typeName.startsWith('union:')) return this.union((type as avro.types.UnwrappedUnionType).types)
        throw new Malformed(`a type that is not known: ${typeName}`)
    }
  }

  private record(type: avro.types.RecordType): Read {
    const fields = type.fields.map(({ name, type: of }) => ({ name, read: this.of(of) }))
    return (cursor) =>
      cursor.nested(() => {
        const value: Record<string, unknown> = {}
        for (const { name, read } of fields) setMember(value, name, read(cursor))
        return value
      })
  }

  private array(item: Read): Read {
    return (cursor) =>
      cursor.nested(() => {
        const items: unknown[] = []
        for (let left = blockCount(cursor); left > 0; left = blockCount(cursor)) {
          for (; left > 0; left--) items.push(item(cursor))
        }
        return items
      })
  }

  private map(member: Read): Read {
    return (cursor) =>
      cursor.nested(() => {
        const value: Record<string, unknown> = {}
        for (let left = blockCount(cursor); left > 0; left = blockCount(cursor)) {
          for (; left > 0; left--) setMember(value, cursor.take(sized(cursor)).toString('utf8'), member(cursor))
        }
        return value
      })
  }

  private union(types: readonly Type[]): Read {
    const branches = types.map((branch) => this.of(branch))
    return (cursor) => {
      const branch = branches[Number(zigzag(cursor.varint()))]
      if (branch === undefined) throw new Malformed('a branch that its union does not have')
      return branch(cursor)
    }
  }

  private logical(type: Marked, name: string): Read {
    const { underlyingType } = type
    const { typeName } = underlyingType as { typeName: string }
    const convert = logical[name]!
    const isBytes = typeName === 'bytes' || typeName === 'fixed'
    const isNumber = typeName === 'int' || typeName === 'long'
    // the specification: a logical type that does not fit is ignored
    if (name === 'decimal' ? !isBytes : !isNumber) return this.of(underlyingType)
    if (isBytes) return (cursor) => convert(rawBytes(underlyingType, cursor), type)
    return (cursor) => convert(zigzag(cursor.varint()), type)
  }
}

function rawBytes(type: Type, cursor: Cursor): Buffer {
  return cursor.take(type.typeName === 'fixed' ? (type as avro.types.FixedType).size : sized(cursor))
}

function enumeration(symbols: readonly string[]): Read {
  return (cursor) => {
    const symbol = symbols[Number(zigzag(cursor.varint()))]
    if (symbol === undefined) throw new Malformed('a symbol that its enum does not have')
    return symbol
  }
}

/** The length of a text or of bytes. */
function sized(cursor: Cursor): number {
  return Number(zigzag(cursor.varint()))
}

/** Items of the next block of an array or a map; 0 ends it. A negative count is followed by the block's length. */
function blockCount(cursor: Cursor): number {
  const count = Number(zigzag(cursor.varint()))
  if (count >= 0) return count
  cursor.varint()
  return -count
}
