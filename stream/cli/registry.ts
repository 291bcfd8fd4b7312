import type { LoadedConfig } from '../config.ts'
import { RegistrySchemas } from '../io/registry/registry.ts'
import type { Telemetry } from '../telemetry.ts'

/**
 * The schema registry of the configuration; undefined where it names none. Nothing is asked yet.
 *
 * @param telemetry of a worker, told of each look-up; null for a command that ends
 */
export function openRegistry(
  { config, secrets }: LoadedConfig,
  telemetry: Pick<Telemetry, 'schemaLookedUp'> | null,
): RegistrySchemas | undefined {
  const { schemaRegistry } = config
  if (schemaRegistry?.url === undefined) return undefined
  return new RegistrySchemas({
    url: schemaRegistry.url,
    username: schemaRegistry.username,
    password: secrets.registryPassword,
    timeoutMs: schemaRegistry.timeout,
    cacheSize: schemaRegistry.cacheSize,
    clock: Date.now,
    wait: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    ...(telemetry === null ? {} : { onLookUp: (looked) => telemetry.schemaLookedUp(looked) }),
  })
}
