/** `npm run fuzz -- --inputs 10000000 [--seed N] [--target NAME]`: fuzzes decoders and stages, exits with 1 on a find. */
import { parseArgs } from 'node:util'
import { fuzz } from './fuzz.ts'
import { targets } from './targets.ts'

const { values } = parseArgs({
  options: {
    inputs: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: '1' },
    target: { type: 'string' },
  },
})
const inputs = Number(values.inputs)
const seed = Number(values.seed)
if (!Number.isSafeInteger(inputs) || inputs < 1 || !Number.isSafeInteger(seed)) {
  console.error('--inputs takes a count above 0, --seed a whole number')
  process.exit(64)
}
const all = targets()
const chosen = all.filter(({ name }) => values.target === undefined || name === values.target)
if (chosen.length === 0) {
  console.error(`no target is called "${values.target}"; there are: ${all.map(({ name }) => name).join(', ')}`)
  process.exit(64)
}
const startedMs = performance.now()
let toldMs = startedMs
const result = fuzz(chosen, {
  inputs,
  seed,
  onRound(done) {
    const nowMs = performance.now()
    if (nowMs - toldMs < 5_000) return
    toldMs = nowMs
    const text = `${done} of ${inputs} inputs, ${Math.round(done / ((nowMs - startedMs) / 1000))}/s`
    if (process.stderr.isTTY) process.stderr.write(`\r${text}   `)
    else console.error(text)
  },
})
if (process.stderr.isTTY) process.stderr.write('\r')
for (const [name, count] of result.inputs) console.log(`${name.padEnd(24)} ${count}`)
const total = [...result.inputs.values()].reduce((sum, count) => sum + count, 0)
const seconds = (performance.now() - startedMs) / 1000
console.log(`${total} inputs in ${seconds.toFixed(0)} s, seed ${seed}: ${result.failures.length} found`)
for (const { target, seed: at, path, message } of result.failures)
  console.log(`\n${target}, seed ${at}, path ${path}\n${message}`)
process.exitCode = result.failures.length > 0 ? 1 : 0
