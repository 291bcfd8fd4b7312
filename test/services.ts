/**
 * One broker and one database for a whole run of the integration tests (vitest's globalSetup). Each test isolates itself
 * by names. A test asks for them by `inject('kafkaBrokers')` and skips itself where there are none:
 * `describe.skipIf(inject('kafkaBrokers').length === 0)`. With SENTINEL_REQUIRE_SERVICES=1 the run fails instead.
 */
import type { TestProject } from 'vitest/node'
import { provideServices } from '../deploy/local/services.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    /** `host:port` each; empty where no broker can be had. */
    kafkaBrokers: string[]
    /** With user and password; empty where no database can be had. */
    databaseUrl: string
    /** The database has the TimescaleDB extension. */
    timescale: boolean
    /** Where Confluent's schema registry API begins; empty where no registry can be had. */
    schemaRegistryUrl: string
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const required = process.env['SENTINEL_REQUIRE_SERVICES'] === '1'
  const say = (line: string): void => console.log(`services: ${line}`)
  try {
    const services = await provideServices({ requireTimescale: required, registry: true, report: say })
    const { kafka, postgres } = services
    say(kafka.how)
    if (postgres !== undefined) say(postgres.how)
    project.provide('kafkaBrokers', 'brokers' in kafka ? kafka.brokers : [])
    project.provide('databaseUrl', postgres?.url ?? '')
    project.provide('timescale', postgres?.timescale ?? false)
    if (services.registryUrl !== undefined) say(`schema registry at ${services.registryUrl}`)
    project.provide('schemaRegistryUrl', services.registryUrl ?? '')
    return () => services.stop()
  } catch (error) {
    if (required) throw error
    say(
      `integration tests are SKIPPED (SENTINEL_REQUIRE_SERVICES=1 makes them fail): ${error instanceof Error ? error.message : String(error)}`,
    )
    project.provide('kafkaBrokers', [])
    project.provide('databaseUrl', '')
    project.provide('timescale', false)
    project.provide('schemaRegistryUrl', '')
    return async () => {}
  }
}
