/**
 * Holds the licences of what ships to a list: `tsx deploy/licences.ts` fails on one that is not on it, and
 * `--write PATH` writes them as a page. It reads the installed packages, so it needs no network.
 */
import { existsSync, readFileSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

/** Licences that ask for no more than their text and notice beside the program. */
export const allowed: readonly string[] = [
  '0BSD',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'CC0-1.0',
  'ISC',
  'MIT',
  'Unlicense',
]

/** Packages whose manifest states none, by what their LICENSE file says; a person has read it. */
const stated: Readonly<Record<string, string>> = { '@kafkajs/confluent-schema-registry': 'MIT' }

export interface Shipped {
  readonly name: string
  readonly version: string
  /** SPDX; null where the package does not say. */
  readonly licence: string | null
}

interface Locked {
  readonly version?: string
  readonly dev?: boolean
  readonly optional?: boolean
  readonly license?: string
}

/** Packages of the lock that are not for development alone, each once. */
export async function shippedPackages(folder = root): Promise<Shipped[]> {
  const lock = JSON.parse(await readFile(join(folder, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, Locked>
  }
  const found = new Map<string, Shipped>()
  for (const [path, locked] of Object.entries(lock.packages)) {
    if (path === '' || locked.dev === true || locked.version === undefined) continue
    const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length)
    const { version } = locked
    const licence = licenceOf(folder, path, locked) ?? stated[name] ?? null
    found.set(`${name}@${version}`, { name, version, licence })
  }
  return [...found.values()].sort((a, b) => (`${a.name}@${a.version}` < `${b.name}@${b.version}` ? -1 : 1))
}

/** What the package itself says; the lock's word for optional ones of other platforms, which are not installed. */
function licenceOf(folder: string, path: string, locked: Locked): string | null {
  const manifest = join(folder, path, 'package.json')
  if (!existsSync(manifest)) return locked.license ?? null
  const { license, licenses } = JSON.parse(readFileSync(manifest, 'utf8')) as {
    license?: string | { type?: string }
    licenses?: readonly { type?: string }[]
  }
  if (typeof license === 'string') return license
  return license?.type ?? licenses?.map(({ type }) => type).join(' AND ') ?? locked.license ?? null
}

/** Whether an SPDX expression can be met: one side of each OR, both sides of each AND. */
export function isAllowed(licence: string | null): boolean {
  if (licence === null) return false
  const text = licence.trim().replace(/^\((.*)\)$/, '$1')
  if (/[()]/.test(text)) return false // none of ours is nested: a person looks
  return text.split(/ OR /).some((side) => side.split(/ AND /).every((one) => allowed.includes(one.trim())))
}

export function licencePage(packages: readonly Shipped[]): string {
  const rows = packages.map(({ name, version, licence }) => `| ${name} | ${version} | ${licence ?? 'not stated'} |`)
  return ['| package | version | licence |', '|---|---|---|', ...rows, ''].join('\n')
}

async function main(given: readonly string[]): Promise<number> {
  const packages = await shippedPackages()
  const refused = packages.filter(({ licence }) => !isAllowed(licence))
  for (const { name, version, licence } of refused) {
    console.error(`${name} ${version}: ${licence ?? 'states no licence'} is not on the list of deploy/licences.ts`)
  }
  if (given[0] === '--write' && given[1] !== undefined) await writeFile(given[1], licencePage(packages))
  console.log(`${packages.length} packages ship, ${refused.length} with a licence that is not allowed`)
  return refused.length === 0 ? 0 : 1
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  process.exitCode = await main(process.argv.slice(2))
}
