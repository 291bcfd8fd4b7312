/**
 * Whether budgets of false alarms hold, how soon shifts are found at as many false alarms as River's detectors have, and
 * what the default votes come to. Seeds are fixed in the files. Two processes.
 *
 *   npx tsx bench/budget/run.ts [--series 200] [--weeks 4] [--operated 20] [--followed 40] [--days 14] [--write]
 *
 * `--only-defaults` counts the default votes alone, of 40 series: for after a change of the default configuration.
 * `--write` puts the tables into docs/budget.md and the rates of the default votes into stream/config/expected-openings.ts,
 * which `sentinel config check` prints.
 */
import { spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { python } from '../harness/python.ts'
import { agreeing, anyDrift, exceedances } from './chances.ts'
import { type DefaultRate, trafficRates } from './defaults.ts'
import { kinds } from './kinds.ts'
import {
  chanceTables,
  defaultTable,
  delayTable,
  expectedOpeningsSource,
  proofTable,
  scaleTable,
  verdictLine,
} from './tables.ts'
import type { WorkerAnswer, WorkerOrder } from './worker.ts'

const { values } = parseArgs({
  options: {
    series: { type: 'string', default: '200' },
    weeks: { type: 'string', default: '4' },
    operated: { type: 'string', default: '20' },
    followed: { type: 'string', default: '40' },
    days: { type: 'string', default: '14' },
    'traffic-seeds': { type: 'string', default: '10' },
    runs: { type: 'string', default: '2000' },
    peers: { type: 'boolean', default: true },
    'only-defaults': { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
  },
  allowNegative: true,
})
type Count = 'series' | 'weeks' | 'operated' | 'followed' | 'days' | 'traffic-seeds' | 'runs'
const whole = (name: Count, least: number): number => {
  const value = Number(values[name])
  if (!Number.isSafeInteger(value) || value < least)
    throw new RangeError(`--${name}: a whole number of at least ${least}`)
  return value
}
const isOnlyDefaults = values['only-defaults']
const series = Math.min(isOnlyDefaults ? 40 : Number.POSITIVE_INFINITY, whole('series', 2))
const [weeks, operated] = [whole('weeks', 2), isOnlyDefaults ? 0 : whole('operated', 0)]
const SEED = 20_260_502

function work(order: WorkerOrder): Promise<WorkerAnswer[]> {
  const file = fileURLToPath(new URL('worker.ts', import.meta.url))
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--import', 'tsx', file, JSON.stringify(order)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let output = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text
      if (text.endsWith('\n')) console.error(`${output.trimEnd().split('\n').length} kinds of a worker are done`)
    })
    child.once('error', reject)
    child.once('close', (code) => {
      if (code !== 0) return reject(new Error(`the worker of ${order.kinds.join(', ')} ended with ${code}`))
      const lines = output.trimEnd().split('\n')
      resolve(lines.map((line) => JSON.parse(line) as WorkerAnswer))
    })
  })
}

const requirements = fileURLToPath(new URL('../../test/conformance/requirements.txt', import.meta.url))
const interpreter = values.peers && !isOnlyDefaults ? python({ name: 'budget', requirements }) : null
const names = kinds.map(({ name }) => name)
const followed = Math.min(series, whole('followed', 1))
const order = { series, weeks, operated: Math.min(operated, series), followed, python: interpreter }
const halves = [0, 1].map((half) => names.filter((_, index) => index % 2 === half))
const answers = (await Promise.all(halves.map((some) => work({ ...order, kinds: some })))).flat()
answers.sort((a, b) => names.indexOf(a.kind) - names.indexOf(b.kind))
const traffic = await trafficRates({ days: whole('days', 1), seeds: whole('traffic-seeds', 1) })
const rates: DefaultRate[] = [...traffic, ...answers.map((each) => each.defaults)]
const runs = whole('runs', 100)
const command = `npx tsx bench/budget/run.ts --series ${series} --weeks ${weeks} --operated ${order.operated} --followed ${followed} --days ${values.days} --traffic-seeds ${values['traffic-seeds']} --runs ${runs}`
const chances = { any: anyDrift({ features: 20, runs, seed: SEED }), agreeing: agreeing({ runs, seed: SEED }), runs }

const proof = answers.flatMap((each) => each.proof)
const all = {
  proof: [proofTable(proof), '', verdictLine(proof)].join('\n'),
  delays: delayTable(answers.flatMap((each) => each.delays)),
  chances: chanceTables(chances),
  scales: scaleTable(exceedances({ values: 1_000 * runs, seed: SEED })),
  defaults: `${defaultTable(rates)}\n\nOf ${series} series of each kind, and ${values.days} days of ${values['traffic-seeds']} services and models after the day that teaches.`,
  command,
}
const sections: Readonly<Record<string, string>> = isOnlyDefaults ? { defaults: all.defaults } : all
for (const [name, text] of Object.entries(sections)) console.log(`## ${name}\n\n${text}\n`)

if (values.write) {
  const page = fileURLToPath(new URL('../../docs/budget.md', import.meta.url))
  let text = readFileSync(page, 'utf8')
  for (const [name, section] of Object.entries(sections)) text = replaceSection(text, name, section)
  writeFileSync(page, text)
  const source = fileURLToPath(new URL('../../stream/config/expected-openings.ts', import.meta.url))
  writeFileSync(source, expectedOpeningsSource(rates))
}

/** What stands between `<!-- name -->` and `<!-- /name -->` in the page. */
function replaceSection(page: string, name: string, section: string): string {
  const [open, close] = [`<!-- ${name} -->`, `<!-- /${name} -->`]
  const [from, to] = [page.indexOf(open), page.indexOf(close)]
  if (from < 0 || to < from) throw new RangeError(`docs/budget.md has no section ${name}`)
  const body = name === 'command' ? `\`\`\`\n${section}\n\`\`\`` : section
  return `${page.slice(0, from + open.length)}\n${body}\n${page.slice(to)}`
}
