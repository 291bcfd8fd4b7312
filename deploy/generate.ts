/** Writes what is made from the schemas: `schemas/`, `docs/configuration.md` and `docs/detectors.md`. `npm run generate` runs it. */
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { z } from 'zod'
import { jsonSchemaOf } from '../stream/config/json-schema.ts'
import { configurationPage } from '../stream/config/page.ts'
import { configFile } from '../stream/config/schema.ts'
import { runbook } from '../stream/contract/configuration.ts'
import { compareCodeUnits } from '../stream/contract/encoding.ts'
import { openApiDocument } from '../stream/io/http/openapi.ts'
import { routes } from '../stream/io/http/routes.ts'
import { asyncApiDocument } from './asyncapi.ts'
import { detectorsPage } from './detectors-page.ts'
import { operationsPage } from './operations.ts'

const root = fileURLToPath(new URL('..', import.meta.url))

/** Files by their path in the project, with what they should hold. The same schemas give the same bytes. */
export async function generatedFiles(): Promise<ReadonlyMap<string, string>> {
  const files = new Map<string, string>()
  for (const [name, schema] of await recordSchemas()) {
    files.set(`schemas/${name}.schema.json`, schemaText(name, z.toJSONSchema(schema, { target: 'draft-2020-12' })))
  }
  files.set('schemas/sentinel.yaml.schema.json', schemaText('sentinel.yaml', jsonSchemaOf(configFile)))
  files.set('schemas/runbook.schema.json', schemaText('runbook', jsonSchemaOf(runbook)))
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string }
  const topics = asyncApiDocument({ schemas: new Map(await recordSchemas()), version })
  files.set('schemas/asyncapi.json', `${JSON.stringify(topics, null, 2)}\n`)
  files.set('schemas/openapi.json', `${JSON.stringify(sorted(openApiDocument(routes)), null, 2)}\n`)
  files.set('docs/configuration.md', configurationPage())
  files.set('docs/detectors.md', await detectorsPage(root))
  files.set('docs/operations.md', operationsPage(await readFile(join(root, 'docs/operations.md'), 'utf8')))
  return files
}

/** Every record that the contract exports, under its `type`: an object with a literal of that name. */
async function recordSchemas(): Promise<[string, z.ZodType][]> {
  const folder = join(root, 'stream/contract')
  const found = new Map<string, z.ZodType>()
  for (const file of (await readdir(folder)).filter((name) => name.endsWith('.ts')).sort()) {
    const exported = (await import(pathToFileURL(join(folder, file)).href)) as Record<string, unknown>
    for (const value of Object.values(exported)) {
      const type = value instanceof z.ZodObject ? (value.shape as Record<string, unknown>)['type'] : undefined
      if (type instanceof z.ZodLiteral) found.set(String(type.value), value as z.ZodType)
    }
  }
  return [...found].sort(([a], [b]) => compareCodeUnits(a, b))
}

const leading = ['$schema', '$id', 'title', 'description', 'type']

/** Two spaces, keys in one order whatever zod's is: `$schema`, `$id`, `title`, `description`, `type`, then by code units. */
function schemaText(name: string, schema: object): string {
  const whole = { ...schema, $id: `urn:sentinel-stream:${name}:v1`, title: name }
  return `${JSON.stringify(sorted(whole), null, 2)}\n`
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  const rank = (key: string) => (leading.includes(key) ? leading.indexOf(key) : leading.length)
  const entries = Object.entries(value).sort(([a], [b]) => rank(a) - rank(b) || compareCodeUnits(a, b))
  return Object.fromEntries(entries.map(([key, member]) => [key, sorted(member)]))
}

/** Files under `schemas/` that nothing makes any more, and those that differ from what should be there. */
export async function staleFiles(): Promise<string[]> {
  const files = await generatedFiles()
  const stale: string[] = []
  for (const [path, text] of files) {
    const found = await readFile(join(root, path), 'utf8').catch(() => undefined)
    if (found !== text) stale.push(path)
  }
  const there = await readdir(join(root, 'schemas')).catch(() => [])
  return [...stale, ...there.map((name) => `schemas/${name}`).filter((path) => !files.has(path))]
}

async function writeAll(): Promise<void> {
  const files = await generatedFiles()
  const stale = await staleFiles()
  for (const path of stale) {
    const text = files.get(path)
    if (text === undefined) await rm(join(root, path))
    else {
      await mkdir(join(root, path, '..'), { recursive: true })
      await writeFile(join(root, path), text)
    }
    console.log(`${text === undefined ? 'removed' : 'wrote'} ${path}`)
  }
  console.log(`${files.size} generated files, ${stale.length} of them changed`)
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) await writeAll()
