/**
 * Takes each guard of the design out of a copy of the tree, runs the tests that ought to notice, and writes
 * `docs/guards.md`: `npx tsx test/chaos/guards.ts [part of a guard's name]`, with a part the rows of these guards alone.
 * Exit code 1 where none turns red. A run that was interrupted goes on with `--resume`: what each guard came to is kept in
 * `.sentinel/chaos/guards.json`.
 */
import { spawn } from 'node:child_process'
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Guard, guards } from './guard-list.ts'
import { root } from './worker-process.ts'

interface Outcome {
  readonly guard: Guard
  /** `<file>: <test>`, of the tests that turned red. */
  readonly red: readonly string[]
}

const copied = [
  'stream',
  'test',
  'deploy',
  'sql',
  'schemas',
  'examples',
  'package.json',
  'tsconfig.json',
  'vitest.config.ts',
]

async function copyTree(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sentinel-guards-'))
  for (const name of copied) await cp(join(root, name), join(folder, name), { recursive: true })
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'))
  return folder
}

/** Removes a guard from the copy. @returns how to put it back; @throws when its text is not there exactly once */
async function remove(folder: string, { file, text, instead, name }: Guard): Promise<() => Promise<void>> {
  const path = join(folder, file)
  const source = await readFile(path, 'utf8')
  const count = source.split(text).length - 1
  if (count !== 1) throw new Error(`${name}: its text stands ${count} times in ${file}: mend test/chaos/guard-list.ts`)
  await writeFile(
    path,
    source.replace(text, () => instead),
  )
  return () => writeFile(path, source)
}

interface Report {
  readonly testResults: readonly {
    readonly name: string
    readonly status: string
    readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[]
  }[]
}

const testsMs = 300_000

/** Runs test files in the copy. @returns the tests that are red */
async function run(folder: string, { tests, project }: Guard): Promise<string[]> {
  const output = join(folder, 'report.json')
  await rm(output, { force: true })
  const args = ['vitest', 'run', '--project', project, '--reporter', 'json', '--outputFile', output, ...tests]
  const isKilled = await new Promise<boolean>((resolve) => {
    // a process group of its own: whoever started it is not the one that runs on
    const child = spawn('npx', args, { cwd: folder, detached: true, stdio: 'ignore' })
    let isLate = false
    const timer = setTimeout(() => {
      isLate = true
      process.kill(-child.pid!, 'SIGKILL')
    }, testsMs)
    child.once('close', () => {
      clearTimeout(timer)
      resolve(isLate)
    })
  })
  // without a guard a schedule may go on for ever, and that is noticed too
  if (isKilled) return [`${tests.join(', ')}: no end within ${testsMs / 60_000} min`]
  const { testResults } = JSON.parse(await readFile(output, 'utf8')) as Report
  return testResults.flatMap(({ name, status, assertionResults }) => {
    const file = name.slice(folder.length + 1)
    const failed = assertionResults.filter((result) => result.status === 'failed')
    // red for another reason would prove nothing
    if (failed.length === 0 && status === 'failed') throw new Error(`${file} does not load: is the tree whole?`)
    return failed.map(({ fullName }) => `${file}: ${fullName}`)
  })
}

const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll('\n', ' ')
const code = (text: string) => `\`${cell(text.replace(/\s+/g, ' ').trim())}\``

/** What a row says of a guard itself. @returns the begin of its row */
function rowBegin({ name, file, text, instead }: Guard): string {
  const change = instead.trim() === '' ? code(text) : `${code(text)} became ${code(instead)}`
  return `| ${cell(name)} | ${file} | ${change} | `
}

function rowOf({ guard, red }: Outcome): string {
  const shown = red.slice(0, 2).map(cell).join('<br>') + (red.length > 2 ? `<br>and ${red.length - 2} more` : '')
  return `${rowBegin(guard)}${red.length === 0 ? '**none**' : shown} |`
}

/** @param before the page as it was: of guards that were not taken out now its row stands, while it says the same of them */
function page(outcomes: readonly Outcome[], before: string): string {
  const lines = before.split('\n')
  const rows = guards.flatMap((guard) => {
    const outcome = outcomes.find((one) => one.guard === guard)
    if (outcome !== undefined) return [rowOf(outcome)]
    return lines.filter((line) => line.startsWith(rowBegin(guard))).slice(0, 1)
  })
  return [
    '# Guards, and the tests that notice when one is gone',
    '',
    'Written by `npx tsx test/chaos/guards.ts`, which takes each guard out of a copy of the tree and runs the tests that ought to',
    'notice. What each guard is for is in [architecture.md](architecture.md) and in the comments beside it.',
    '',
    '| guard | file | removed | red |',
    '|---|---|---|---|',
    ...rows,
    '',
  ].join('\n')
}

const { values, positionals } = parseArgs({ allowPositionals: true, options: { resume: { type: 'boolean' } } })
const wanted = positionals[0] ?? ''
const chosen = guards.filter(({ name }) => name.includes(wanted))
const keptAt = join(root, '.sentinel/chaos/guards.json')
const kept = new Map<string, string[]>(
  values.resume === true ? JSON.parse(await readFile(keptAt, 'utf8').catch(() => '[]')) : [],
)
const folder = await copyTree()
const outcomes: Outcome[] = []
try {
  for (const guard of chosen) {
    const restore = await remove(folder, guard)
    const red = kept.get(guard.name) ?? (await run(folder, guard))
    await restore()
    outcomes.push({ guard, red })
    kept.set(guard.name, red)
    await mkdir(dirname(keptAt), { recursive: true })
    await writeFile(keptAt, JSON.stringify([...kept]))
    console.log(
      `${red.length === 0 ? 'NOT NOTICED' : 'red'}: ${guard.name}${red.map((test) => `\n  ${test}`).join('')}`,
    )
  }
} finally {
  await rm(folder, { recursive: true, force: true })
}
const pagePath = join(root, 'docs/guards.md')
await writeFile(pagePath, page(outcomes, await readFile(pagePath, 'utf8')))
const silent = outcomes.filter(({ red }) => red.length === 0)
console.log(`${outcomes.length - silent.length} of ${outcomes.length} guards are noticed`)
process.exit(silent.length === 0 ? 0 : 1)
