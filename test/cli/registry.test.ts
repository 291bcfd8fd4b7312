import { describe, expect, it, onTestFinished } from 'vitest'
import { openRegistry } from '../../stream/cli/registry.ts'
import { loadConfig } from '../../stream/config.ts'
import { SentinelError } from '../../stream/errors.ts'
import { createTelemetry } from '../../stream/telemetry.ts'
import { StandIn } from '../io/registry/stand-in.ts'

describe('the registry of a worker', () => {
  it('tells of each look-up, of one that fails at once', async () => {
    const registry = (await new StandIn().start()).withGolden()
    onTestFinished(() => registry.stop())
    const lines: string[] = []
    const telemetry = createTelemetry({ log: 'json', write: (line) => lines.push(line), processMetrics: false })
    const shown = async (): Promise<string[]> =>
      (await telemetry.metricsText()).split('\n').filter((line) => line.startsWith('sentinel_schema_registry_'))
    const codes = () => lines.map((line) => JSON.parse(line).code)
    const loaded = await loadConfig({
      path: 'sentinel.yaml',
      readFile: async () => `schemaRegistry: {url: "${registry.url}"}`,
      env: {},
    })
    const schemas = openRegistry(loaded, telemetry)!

    registry.misbehave = (answer) => answer.destroy() !== undefined
    await expect(schemas.ask(101)).rejects.toBeInstanceOf(SentinelError)
    expect(await shown()).toEqual([
      'sentinel_schema_registry_ready 0',
      'sentinel_schema_registry_schemas 0',
      'sentinel_schema_registry_lookups_total{outcome="away"} 1',
    ])
    expect(codes()).toEqual(['SCHEMA_REGISTRY_AWAY'])

    registry.misbehave = undefined
    await schemas.ask(101)
    await schemas.ask(101) // from memory: nobody was asked
    expect(await shown()).toEqual([
      'sentinel_schema_registry_ready 1',
      'sentinel_schema_registry_schemas 1',
      'sentinel_schema_registry_lookups_total{outcome="away"} 1',
      'sentinel_schema_registry_lookups_total{outcome="found"} 1',
    ])
    expect(codes()).toEqual(['SCHEMA_REGISTRY_AWAY', 'SCHEMA_REGISTRY_BACK'])
  })
})
