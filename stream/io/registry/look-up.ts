/**
 * Fetches a schema with all that it refers to, and makes its reader.
 *
 * `@kafkajs/confluent-schema-registry` knows the API, follows references and has Avro parsed by them. Three things are
 * ours: the requests (see `transport.ts`), values (the readers of this folder, whose files say why), and that JSON is not
 * validated: compiling a validator runs code made from the schema, and its patterns may take for ever on a value.
 */
import { SchemaRegistry, SchemaType } from '@kafkajs/confluent-schema-registry'
import type { Type } from 'avsc'
import type { RegisteredSchema, SchemaAnswer } from '../../contract/stage.ts'
import { SentinelError } from '../../errors.ts'
import { avroOptions, avroReader } from './avro.ts'
import { Malformed } from './cursor.ts'
import { readFramedMessage } from './message-index.ts'
import { ProtobufReader } from './protobuf.ts'
import { protobufMessages } from './protobuf-schema.ts'
import { guarded, readWhole, refusal } from './reading.ts'
import { askRegistry, NotThere, type RegistryAddress, TooLarge } from './transport.ts'

/** Bytes of a schema together with all that it refers to. */
const SCHEMA_BYTES_MAX = 1024 * 1024
/** Schemas that one may refer to, directly or not. */
const REFERENCES_MAX = 100

export interface Found {
  readonly answer: SchemaAnswer
  /** Of the schema's text, with its references: what keeping it costs, about. */
  readonly bytes: number
  /** False where the answer is that something is not there: it may come yet. */
  readonly isFinal: boolean
}

interface Document {
  readonly schema: string
  readonly schemaType?: string
}

/** @throws SERVICE_UNAVAILABLE while the registry is away */
export async function lookUpSchema(address: RegistryAddress, id: number): Promise<Found> {
  const documents: Document[] = []
  let bytes = 0
  const fetchDocument = async (path: string): Promise<Document> => {
    if (documents.length > REFERENCES_MAX) throw new TooLarge()
    const document = (await askRegistry(address, path, SCHEMA_BYTES_MAX - bytes)) as Document | null
    if (typeof document?.schema !== 'string')
      throw new SentinelError(
        'SERVICE_UNAVAILABLE',
        `${address.url} answers ${path} without a schema: is it a registry?`,
      )
    bytes += Buffer.byteLength(document.schema)
    documents.push(document)
    return document
  }
  const found = (answer: SchemaAnswer, isFinal = true): Found => ({ answer, bytes, isFinal })
  try {
    const parsed = await parse(id, fetchDocument)
    const [main, ...references] = documents
    return found(reader(id, { main: main!, references, parsed }))
  } catch (error) {
    if (error instanceof TooLarge)
      return found(refusal('too-large', `schema ${id} is more than ${SCHEMA_BYTES_MAX} bytes with all it refers to`))
    if (!(error instanceof NotThere)) throw error
    const what = documents.length === 0 ? `does not know schema ${id}` : `lacks a schema that schema ${id} refers to`
    return found(refusal('undecodable', `the schema registry ${what}`), false)
  }
}

type Middleware = NonNullable<ConstructorParameters<typeof SchemaRegistry>[0]['middlewares']>[number]

/** What the library makes of the schema; an error where it could not, after everything was fetched. */
async function parse(id: number, fetchDocument: (path: string) => Promise<Document>): Promise<unknown> {
  let failure: unknown
  // the last one is the outermost: the library's own requests, and what it makes of their failures, are never reached
  const transport: Middleware = () => ({
    response: async (_next, _renew, request) => {
      try {
        const document = await fetchDocument(new URL(request.url()).pathname)
        return { data: () => document } as never
      } catch (error) {
        failure = error
        throw error
      }
    },
  })
  const validate = () => true
  const ajvInstance = { addSchema: () => ajvInstance, compile: () => validate } as never
  const options = { [SchemaType.AVRO]: avroOptions(), [SchemaType.JSON]: { ajvInstance } }
  const library = new SchemaRegistry({ host: 'http://registry', middlewares: [transport] }, options as never)
  try {
    return await library.getSchema(id)
  } catch (error) {
    if (failure !== undefined) throw failure
    return error
  }
}

function reader(
  id: number,
  { main, references, parsed }: { main: Document; references: readonly Document[]; parsed: unknown },
): SchemaAnswer {
  const type = main?.schemaType ?? 'AVRO'
  try {
    if (type === 'PROTOBUF') return protobuf(id, main, references)
    if (parsed instanceof Error) throw parsed
    if (type === 'AVRO') {
      const read = avroReader(parsed as Type)
      return guarded(`Avro schema ${id}`, (payload) => readWhole(payload, read))
    }
    if (type === 'JSON') return guarded(`JSON schema ${id}`, readJson)
    return refusal('undecodable', `schema ${id} is of a type that is not read: ${printable(type)}`)
  } catch (error) {
    const why = error instanceof Error ? printable(error.message) : ''
    return refusal('undecodable', `schema ${id} cannot be used: ${why}`)
  }
}

function protobuf(id: number, main: Document, references: readonly Document[]): RegisteredSchema {
  const texts = references.map(({ schema }) => schema)
  const messages = protobufMessages(main.schema, texts)
  const values = new ProtobufReader()
  return guarded(`Protobuf schema ${id}`, (payload) => readFramedMessage(payload, { reader: values, messages }))
}

function readJson(payload: Uint8Array): unknown {
  const text = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString('utf8')
  try {
    return JSON.parse(text.charCodeAt(0) === 0xfeff ? text.slice(1) : text)
  } catch {
    throw new Malformed('it is not JSON')
  }
}

/** Parts of a schema in a reason: short, and without control characters. */
function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]+/g, ' ').slice(0, 200)
}
