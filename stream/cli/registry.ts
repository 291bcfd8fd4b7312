import type { LoadedConfig } from '../config.ts'
import { RegistrySchemas } from '../io/registry/registry.ts'

/** The schema registry of the configuration; undefined where it names none. Nothing is asked yet. */
export function openRegistry({ config, secrets }: LoadedConfig): RegistrySchemas | undefined {
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
  })
}
