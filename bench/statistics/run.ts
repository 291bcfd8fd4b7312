/**
 * What tests that assume independent rows say on traffic that is not, and what the corrected ones say: simulations with
 * fixed seeds, in memory.
 *
 *   npx tsx bench/statistics/run.ts [--runs 1000] [--weeks 20]
 */
import { parseArgs } from 'node:util'
import { DEPENDENT, INDEPENDENT, rejections, type Traffic } from './dependent-rows.ts'
import { alarms, quietSeries } from './dependent-values.ts'
import { detectorTables } from './detector-tables.ts'

const SEED = 20_260_101

const { values } = parseArgs({
  options: { runs: { type: 'string', default: '1000' }, weeks: { type: 'string', default: '20' } },
})
const runs = Number(values.runs)
const weeks = Number(values.weeks)
if (!Number.isSafeInteger(weeks) || weeks < 1) throw new RangeError('--weeks: a whole number of at least 1')
if (!Number.isSafeInteger(runs) || runs < 10) throw new RangeError('--runs: a whole number of at least 10')

function print(cells: readonly (string | number)[]): void {
  console.log(`| ${cells.join(' | ')} |`)
}

const share = (value: number): string => value.toFixed(3)

console.log(`${runs} runs each, seed ${SEED}\n`)
print(['rows', 'shift, sd', 'test', 'p < .05 counting rows', 'p < .05 at effective size', 'abstains', 'effective rows'])
print(['---', '---', '---', '---', '---', '---', '---'])
const traffics: readonly [string, Traffic][] = [
  ['independent', INDEPENDENT],
  ['ICC .2, AR(1) .9', DEPENDENT],
  ['ICC .05, AR(1) .98', { shared: 0.05, autocorrelation: 0.98 }],
  ['ICC .2, AR(1) .9, cubed', { ...DEPENDENT, shape: 'cubed' }],
  ['spread AR(1) .9', { ...DEPENDENT, shape: 'spread' }],
  ['spread AR(1) .98', { ...DEPENDENT, autocorrelation: 0.98, shape: 'spread' }],
]
for (const [name, traffic] of traffics) {
  for (const shift of [0, 0.25, 0.5]) {
    for (const row of rejections({ traffic, shift, runs, seed: SEED })) {
      const { detector, naive, corrected, insufficient, effective } = row
      print([name, shift, detector, share(naive), share(corrected), share(insufficient), Math.round(effective)])
    }
  }
}

console.log(`\nAlarms a week on quiet series, ${weeks} of each kind\n`)
print([
  'series',
  'detector',
  'published defaults, raw',
  'our defaults, raw',
  'ours, innovations',
  'values to a shift of 2 sd',
])
print(['---', '---', '---', '---', '---', '---'])
for (const series of quietSeries) {
  for (const { detector, published, raw, whitened, delay } of alarms({ series, weeks, seed: SEED })) {
    print([series.name, detector, published.toFixed(1), raw.toFixed(1), whitened.toFixed(1), delay])
  }
}

for (const { title, columns, rows } of detectorTables({ runs, seed: SEED })) {
  console.log(`\n${title}\n`)
  print(columns)
  print(columns.map(() => '---'))
  for (const row of rows()) print(row)
}
