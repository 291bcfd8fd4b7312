/** Which configuration a replay takes for the live one, and which it compares with. */
import { readFile } from 'node:fs/promises'
import { type LoadedConfig, loadConfig } from '../config.ts'
import { SentinelError } from '../errors.ts'
import type { History } from '../io/kafka/history.ts'

export interface Configurations {
  /** In force. */
  readonly live: LoadedConfig
  readonly liveName: string
  /** What is tried; null: nothing. */
  readonly other: LoadedConfig | null
}

/**
 * Everywhere else --config is the configuration. Here it is the other one, but where nothing else can be the live one:
 * no file names it, and none of the default topics exists.
 *
 * @param ports.note says which was taken for which
 * @param ports.topicsOf names the topics on the broker of a configuration
 */
export async function chooseConfigurations(
  given: { live: string | undefined; config: string | undefined },
  ports: { readonly note: (line: string) => void; readonly topicsOf: (loaded: LoadedConfig) => Promise<string[]> },
): Promise<Configurations> {
  const read = (path: string) => readFile(path, 'utf8')
  const live = await loadConfig({ path: given.live, readFile: read })
  const isDefault = live.origin.file === null
  const liveName = live.origin.file ?? 'the defaults (no --live, no SENTINEL_CONFIG, no sentinel.yaml here)'
  if (given.config === undefined) return { live, liveName, other: null }
  const other = await loadConfig({ path: given.config, readFile: read })
  if (isDefault) {
    const topics = live.config.sources.map(({ topic }) => topic)
    const existing = await ports.topicsOf(other)
    if (!topics.some((topic) => existing.includes(topic))) {
      ports.note(
        `live: ${given.config}; no other configuration is here, and no topic ${topics.join(', ')}. --live names it, --config another to compare with.`,
      )
      return { live: other, liveName: given.config, other: null }
    }
  }
  ports.note(`live: ${liveName}; compared with ${given.config}`)
  return { live, liveName, other }
}

/** Names the configuration that was taken for the live one: often another was meant. */
export function nothingToReplay({ live, liveName, other }: Configurations, history: History): SentinelError {
  const topics = (isThere: boolean) =>
    live.config.sources.filter(({ name }) => name in history.sourcePartitions === isThere).map(({ topic }) => topic)
  const absent = topics(false)
  const empty = topics(true)
  const said = [
    ...(absent.length === 0 ? [] : [`there is no topic ${absent.join(', ')}`]),
    ...(empty.length === 0 ? [] : [`there are no records on ${empty.join(', ')}`]),
  ]
  const hint =
    other === null || other.origin.file === live.origin.file
      ? '--live names another configuration, `sentinel topics` shows offsets.'
      : `Did you mean --live ${other.origin.file}?`
  return new SentinelError('NOT_FOUND', `Nothing to replay. Live is ${liveName}: ${said.join(', and ')}. ${hint}`)
}
