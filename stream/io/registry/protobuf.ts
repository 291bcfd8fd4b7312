/**
 * Reads Protobuf's wire format by messages that `protobufjs` has parsed. Members are named as the file names them; a
 * field of proto3 without presence that is not on the wire has its default, because that is its value.
 *
 * protobufjs's own decoder is not used: two bytes of an empty message become an object with a list for each of its
 * repeated fields, so a few megabytes could take all memory.
 *
 * @see https://protobuf.dev/programming-guides/encoding/ and /json/
 */
import protobuf from 'protobufjs'
import { type Cursor, Malformed } from './cursor.ts'
import { finite, integer, setMember, time, zigzag } from './plain.ts'

type Members = Record<string, unknown>

interface Field {
  readonly name: string
  readonly wire: number
  readonly isRepeated: boolean
  /** Members that go when this one comes: the others of its `oneof`. */
  readonly rivals: readonly string[]
  /** Into what is there already of a message. */
  readonly read: (cursor: Cursor, before: unknown) => unknown
  /** Of a map: how its key is read, and how key and value stand on the wire. */
  readonly entry:
    | { readonly readKey: (cursor: Cursor) => unknown; readonly keyWire: number; readonly valueWire: number }
    | undefined
}

interface Message {
  readonly fields: ReadonlyMap<number, Field>
  /** What is there when the wire is silent. */
  readonly defaults: readonly (readonly [string, () => unknown])[]
  readonly finish: ((members: Members) => unknown) | undefined
}

const VARINT = 0
const FIXED64 = 1
const LENGTH = 2
const GROUP = 3
const GROUP_END = 4
const FIXED32 = 5

const signed = (value: number | bigint) => integer(typeof value === 'bigint' ? BigInt.asIntN(64, value) : value)
const low32 = (value: number | bigint) => Number(BigInt.asIntN(32, BigInt(value)))

const scalars: Readonly<Record<string, { wire: number; read: (cursor: Cursor) => unknown; initial: unknown }>> = {
  double: { wire: FIXED64, read: (cursor) => finite(cursor.double()), initial: 0 },
  float: { wire: FIXED32, read: (cursor) => finite(cursor.float()), initial: 0 },
  int32: { wire: VARINT, read: (cursor) => low32(cursor.varint()), initial: 0 },
  uint32: { wire: VARINT, read: (cursor) => low32(cursor.varint()) >>> 0, initial: 0 },
  sint32: { wire: VARINT, read: (cursor) => low32(zigzag(low32(cursor.varint()) >>> 0)), initial: 0 },
  int64: { wire: VARINT, read: (cursor) => signed(cursor.varint()), initial: 0 },
  uint64: { wire: VARINT, read: (cursor) => integer(cursor.varint()), initial: 0 },
  sint64: { wire: VARINT, read: (cursor) => integer(zigzag(cursor.varint())), initial: 0 },
  fixed32: { wire: FIXED32, read: (cursor) => cursor.fixed32(), initial: 0 },
  sfixed32: { wire: FIXED32, read: (cursor) => cursor.fixed32() | 0, initial: 0 },
  fixed64: { wire: FIXED64, read: (cursor) => integer(cursor.fixed64()), initial: 0 },
  sfixed64: { wire: FIXED64, read: (cursor) => signed(cursor.fixed64()), initial: 0 },
  bool: { wire: VARINT, read: (cursor) => Number(cursor.varint()) !== 0, initial: false },
  string: { wire: LENGTH, read: (cursor) => cursor.take(cursor.length()).toString('utf8'), initial: '' },
  bytes: { wire: LENGTH, read: (cursor) => cursor.take(cursor.length()).toString('base64'), initial: '' },
}

const first = (members: Members) => Object.values(members)[0] ?? null
const orZero = (value: unknown) => Number(value ?? 0)

/** Google's well-known types, as their JSON mapping has them; times and durations as ingest reads them. */
const finishers: Readonly<Record<string, (members: Members) => unknown>> = {
  '.google.protobuf.Timestamp': ({ seconds, nanos }) => time(orZero(seconds) * 1000 + orZero(nanos) / 1e6),
  '.google.protobuf.Duration': ({ seconds, nanos }) => orZero(seconds) * 1000 + orZero(nanos) / 1e6,
  '.google.protobuf.Struct': ({ fields }) => fields,
  '.google.protobuf.ListValue': ({ values }) => values,
  '.google.protobuf.Value': ({ null_value, nullValue, ...members }) => first(members),
  '.google.protobuf.FieldMask': ({ paths }) => paths,
}
for (const name of ['Double', 'Float', 'Int64', 'UInt64', 'Int32', 'UInt32', 'Bool', 'String', 'Bytes'])
  (finishers as Record<string, unknown>)[`.google.protobuf.${name}Value`] = ({ value }: Members) => value

/** Reads messages of one schema. Costs time in proportion to the bytes. */
export class ProtobufReader {
  private readonly made = new Map<protobuf.Type, Message>()

  read(type: protobuf.Type, cursor: Cursor): unknown {
    return this.message(this.of(type), cursor, undefined)
  }

  private message(message: Message, cursor: Cursor, before: unknown): unknown {
    cursor.count(1 + message.defaults.length)
    const members: Members = message.finish === undefined && isMembers(before) ? before : initial(message)
    cursor.nested(() => {
      while (!cursor.isAtEnd) this.field(message, cursor, members)
    })
    return message.finish === undefined ? members : message.finish(members)
  }

  private field(message: Message, cursor: Cursor, members: Members): void {
    const tag = cursor.length()
    const number = Math.floor(tag / 8)
    const wire = tag % 8
    if (number === 0 || number > 536_870_911) throw new Malformed('a field number that there is not')
    const field = message.fields.get(number)
    const isPacked = wire === LENGTH && field?.isRepeated === true && field.wire !== LENGTH
    // a field on the wire in another type than the schema's is one that the schema does not know
    if (field === undefined || (wire !== field.wire && !isPacked)) {
      skip(cursor, wire)
      return
    }
    cursor.count()
    for (const rival of field.rivals) delete members[rival]
    if (field.entry !== undefined) addEntry(field, cursor, own(members, field.name) as Members)
    else if (!field.isRepeated) setMember(members, field.name, field.read(cursor, own(members, field.name)))
    else {
      const list = own(members, field.name) as unknown[]
      if (!isPacked) list.push(field.read(cursor, undefined))
      else
        cursor.within(cursor.length(), () => {
          for (; !cursor.isAtEnd; cursor.count()) list.push(field.read(cursor, undefined))
        })
    }
  }

  private of(type: protobuf.Type): Message {
    const known = this.made.get(type)
    if (known !== undefined) return known
    const fields = new Map<number, Field>()
    const defaults: [string, () => unknown][] = []
    const message: Message = { fields, defaults, finish: finishers[type.fullName] }
    this.made.set(type, message)
    for (const field of type.fieldsArray) {
      fields.set(field.id, this.fieldOf(field))
      const initial = initialOf(field)
      if (initial !== undefined) defaults.push([field.name, initial])
    }
    return message
  }

  private fieldOf(field: protobuf.Field): Field {
    const { name, type, resolvedType } = field
    const rivals = field.partOf?.fieldsArray.map((rival) => rival.name).filter((rival) => rival !== name) ?? []
    const value = this.valueOf(type, resolvedType)
    const common = { name, isRepeated: field.repeated, rivals, read: value.read }
    if (!(field instanceof protobuf.MapField)) return { ...common, wire: value.wire, entry: undefined }
    const key = scalars[field.keyType]!
    return { ...common, wire: LENGTH, entry: { readKey: key.read, keyWire: key.wire, valueWire: value.wire } }
  }

  private valueOf(type: string, resolved: protobuf.ReflectionObject | null): { wire: number; read: Field['read'] } {
    if (resolved instanceof protobuf.Type) {
      const read = (cursor: Cursor, before: unknown) =>
        cursor.within(cursor.length(), () => this.message(this.of(resolved), cursor, before))
      return { wire: LENGTH, read }
    }
    if (!(resolved instanceof protobuf.Enum)) return scalars[type]!
    const { valuesById } = resolved
    const read = (cursor: Cursor) => {
      const number = low32(cursor.varint())
      return valuesById[number] ?? number
    }
    return { wire: VARINT, read }
  }
}

function initial({ defaults }: Message): Members {
  const members: Members = {}
  for (const [name, value] of defaults) setMember(members, name, value())
  return members
}

/** What a field holds that is not on the wire; undefined for one whose absence can be told. */
function initialOf(field: protobuf.Field): (() => unknown) | undefined {
  if (field instanceof protobuf.MapField) return () => ({})
  if (field.repeated) return () => []
  if (field.resolvedType instanceof protobuf.Type || field.hasPresence) return undefined
  if (field.resolvedType instanceof protobuf.Enum) {
    const name = field.resolvedType.valuesById[0] ?? 0
    return () => name
  }
  const { initial } = scalars[field.type]!
  return () => initial
}

/** Adds an entry of a map; a key or a value that the wire leaves out has its default. */
function addEntry({ entry, read }: Field, cursor: Cursor, map: Members): void {
  const { readKey, keyWire, valueWire } = entry!
  cursor.within(cursor.length(), () => {
    let key: unknown = ''
    let value: unknown = null
    while (!cursor.isAtEnd) {
      const tag = cursor.length()
      if (tag === 8 + keyWire) key = readKey(cursor)
      else if (tag === 16 + valueWire) value = read(cursor, undefined)
      else skip(cursor, tag % 8)
    }
    setMember(map, String(key), value)
  })
}

function skip(cursor: Cursor, wire: number): void {
  if (wire === VARINT) cursor.varint()
  else if (wire === FIXED64) cursor.take(8)
  else if (wire === LENGTH) cursor.take(cursor.length())
  else if (wire === FIXED32) cursor.take(4)
  else if (wire === GROUP)
    cursor.nested(() => {
      for (let tag = cursor.length(); tag % 8 !== GROUP_END; tag = cursor.length()) skip(cursor, tag % 8)
    })
  else throw new Malformed('a wire type that there is not')
}

function own(members: Members, name: string): unknown {
  return Object.hasOwn(members, name) ? members[name] : undefined
}

function isMembers(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
