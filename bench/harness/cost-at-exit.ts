/** Loaded before a program: it prints, as the last line of its output, what the whole process has cost. */
import { writeSync } from 'node:fs'

const startedMs = performance.now()

process.once('exit', () => {
  const { user, system } = process.cpuUsage()
  const wallMs = performance.now() - startedMs
  const cost = { records: 0, cpuUs: user + system, wallMs, rssMb: process.resourceUsage().maxRSS / 1024 }
  writeSync(1, `${JSON.stringify(cost)}\n`)
})
