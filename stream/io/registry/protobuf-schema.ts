/**
 * Parses what a registry holds of a Protobuf schema: the text of a `.proto` file, or a serialised descriptor in base64,
 * which is what Confluent's Python client registers and some registries give back as it came.
 */
import protobuf from 'protobufjs'
import descriptors from 'protobufjs/ext/descriptor.js'

/** A message where paths lead to it; null stands for the entry of a map, which some writers count. */
export interface MessagePlace {
  readonly type: protobuf.Type
  readonly nested: readonly (MessagePlace | null)[]
}

interface MessageDescriptor {
  name: string
  nestedType?: MessageDescriptor[]
  options?: { mapEntry?: boolean }
}

interface FileDescriptor {
  package?: string
  syntax?: string
  edition?: number
  dependency?: string[]
  messageType?: MessageDescriptor[]
  enumType?: unknown[]
  options?: { features?: Record<string, unknown> }
}

const base64 = /^[A-Za-z0-9+/\s]+={0,2}\s*$/

/**
 * @param main    the schema
 * @param imports what it refers to, directly or not
 * @returns its own messages in order, top level; fields of types that neither it, nor its imports, nor Google's well-known
 *   files declare are left out, so their bytes are skipped like those of a newer version
 * @throws Error for what is not Protobuf
 */
export function protobufMessages(main: string, imports: readonly string[]): readonly MessagePlace[] {
  const root = new protobuf.Root()
  const { messages, imported } = add(root, main)
  const wellKnown = new Set(imported)
  for (const file of imports) for (const name of add(root, file).imported) wellKnown.add(name)
  for (const name of wellKnown) addWellKnown(root, name)
  dropUnresolved(root)
  root.resolveAll()
  return messages
}

interface Added {
  /** Top level, in order. */
  readonly messages: readonly MessagePlace[]
  readonly imported: readonly string[]
}

function add(root: protobuf.Root, text: string): Added {
  const { own, ...added } = base64.test(text) ? fromDescriptor(text) : fromText(text)
  for (const object of own.nestedArray) root.add(object)
  return added
}

function fromText(text: string): Added & { own: protobuf.Root } {
  const own = new protobuf.Root()
  const { package: space, imports = [], weakImports = [] } = protobuf.parse(text, own, { keepCase: true })
  const placed = (type: protobuf.Type): MessagePlace => ({ type, nested: typesOf(type).map(placed) })
  return { own, messages: typesOf(spaceOf(own, space)).map(placed), imported: [...imports, ...weakImports] }
}

function fromDescriptor(text: string): Added & { own: protobuf.Root } {
  const bytes = Buffer.from(text, 'base64')
  const file = descriptors.FileDescriptorProto.decode(bytes) as unknown as FileDescriptor
  const own = new protobuf.Root()
  const space = file.package ? own.define(file.package) : own
  // not Root.fromDescriptor: it takes a file only together with all that it imports
  const context = { edition: editionOf(file), keepCase: true, ...featuresOf(file) }
  for (const message of file.messageType ?? []) space.add(protobuf.Type.fromDescriptor(message as never, context))
  for (const enumeration of file.enumType ?? []) space.add(protobuf.Enum.fromDescriptor(enumeration as never, context))
  const placed = (space: protobuf.NamespaceBase, descriptor: MessageDescriptor): MessagePlace | null => {
    const type = space.get(descriptor.name)
    if (descriptor.options?.mapEntry === true || !(type instanceof protobuf.Type)) return null
    return { type, nested: (descriptor.nestedType ?? []).map((nested) => placed(type, nested)) }
  }
  const messages = (file.messageType ?? []).map((message) => placed(space, message))
  return { own, messages: messages.filter((message) => message !== null), imported: file.dependency ?? [] }
}

function editionOf({ syntax, edition }: FileDescriptor): string {
  if (syntax !== 'editions') return syntax === 'proto3' ? 'proto3' : 'proto2'
  return { 1001: '2024', 1002: '2026' }[edition ?? 0] ?? '2023'
}

function featuresOf({ options }: FileDescriptor): { features?: Record<string, never> } {
  return options?.features === undefined ? {} : { features: options.features as Record<string, never> }
}

function spaceOf(root: protobuf.Root, name: string | null | undefined): protobuf.NamespaceBase {
  const space = name ? root.lookup(name) : root
  return space instanceof protobuf.Namespace ? space : root
}

function typesOf(space: protobuf.NamespaceBase): protobuf.Type[] {
  return space.nestedArray.filter((nested) => nested instanceof protobuf.Type)
}

function addWellKnown(root: protobuf.Root, name: string): void {
  const known = protobuf.common.get(name)
  if (known === null) return
  const types = (known as { nested: { google: { nested: { protobuf: protobuf.INamespace } } } }).nested.google.nested
    .protobuf.nested!
  const space = root.define('google.protobuf')
  const missing = Object.keys(types).filter((type) => !space.get(type))
  space.addJSON(Object.fromEntries(missing.map((type) => [type, types[type]!])))
}

function dropUnresolved(space: protobuf.NamespaceBase): void {
  for (const nested of space.nestedArray) {
    if (nested instanceof protobuf.Namespace) dropUnresolved(nested)
    if (!(nested instanceof protobuf.Type)) continue
    for (const field of nested.fieldsArray) {
      const isBasic = field.type in protobuf.types.basic
      if (!isBasic && nested.lookup(field.type, [protobuf.Type, protobuf.Enum]) === null) nested.remove(field)
    }
  }
}
