/**
 * Kills workers, brokers and connections, and compares what is left with an undisturbed run:
 *
 *     npx tsx test/chaos/run.ts --kills 10000 --workers 3 --groups 2 --seed 1 --weather
 *
 * Exit code 1 when anything is wrong, or a failpoint was never hit.
 */
import { parseArgs } from 'node:util'
import { runHarness } from './harness.ts'

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '200' },
    workers: { type: 'string', default: '3' },
    groups: { type: 'string', default: '6' },
    'kills-per-group': { type: 'string', default: '25' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 1e6)) },
    zombies: { type: 'boolean', default: false },
    weather: { type: 'boolean', default: false },
  },
})
console.log(`seed ${values.seed}`)
const interrupted = new AbortController()
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => interrupted.abort())
const tally = await runHarness({
  kills: Number(values.kills),
  workers: Number(values.workers),
  groups: Number(values.groups),
  killsPerGroup: Number(values['kills-per-group']),
  seed: Number(values.seed),
  zombies: values.zombies,
  weather: values.weather,
  report: (line) => console.log(line),
  signal: interrupted.signal,
})
console.log(tally.text())
for (const end of tally.unasked.slice(0, 3)) console.log(`--- unasked end: ${end}`)
process.exit(tally.wrong.length > 0 || tally.neverHit.length > 0 ? 1 : 0)
