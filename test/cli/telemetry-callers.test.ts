import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createTelemetry } from '../../stream/telemetry.ts'

const folder = join(import.meta.dirname, '../../stream')
const sources = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts') && path !== 'telemetry.ts')
  .map((path) => readFileSync(join(folder, path), 'utf8'))
  .join('\n')

describe('a method of telemetry', () => {
  const methods = Object.keys(createTelemetry({ log: 'silent', write: () => {}, processMetrics: false }))

  it.each(methods)('%s is used by the program: a metric that nobody tells is none', (method) => {
    expect(new RegExp(`\\btelemetry\\??\\.${method}\\b`).test(sources)).toBe(true)
  })
})
