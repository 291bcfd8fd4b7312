/**
 * What detect costs: panes taken, merged and judged at every slide, in memory, models in their steady state.
 *
 *   npx tsx bench/evaluation/run.ts [--entities 300] [--features 10] [--panes 5] [--rows 20] [--budget 4]
 *
 * An hour of event time teaches each model its reference, the hour after it is measured. From the cost of an entity's slide
 * follows how many cores 100,000 entities keep busy at the default slide of five minutes: more than `--budget` of them is an
 * exit code of 1.
 */
import { parseArgs } from 'node:util'
import { measure, script } from '../harness/child.ts'

const { values } = parseArgs({
  options: {
    entities: { type: 'string', default: '300' },
    features: { type: 'string', default: '10' },
    panes: { type: 'string', default: '5' },
    rows: { type: 'string', default: '20' },
    budget: { type: 'string', default: '4' },
  },
})
const SLIDE_US = 300e6
const MANY = 100_000

const { entities, features, panes, rows } = values
const cost = await measure(script(new URL('work.ts', import.meta.url), [entities, features, panes, rows]))
const outcome = cost.outcome as { readonly slides: number; readonly judged: number }
const perSlide = cost.cpuUs / outcome.slides
const cores = (perSlide * MANY) / SLIDE_US
const head = ['entities', 'features', 'panes a slide', 'rows a pane', 'verdicts a slide', 'CPU ms an entity and slide']
for (const cells of [
  [...head, 'µs a feature', `cores for ${MANY} entities`],
  [...head, '', ''].map(() => '---'),
  [
    ...[entities, features, panes, rows, (outcome.judged / outcome.slides).toFixed(0), (perSlide / 1000).toFixed(2)],
    ...[(perSlide / Number(features)).toFixed(0), cores.toFixed(1)],
  ],
])
  console.log(`| ${cells.join(' | ')} |`)
if (cores > Number(values.budget)) {
  console.error(`${cores.toFixed(1)} cores are more than the budget of ${values.budget}`)
  process.exitCode = 1
}
