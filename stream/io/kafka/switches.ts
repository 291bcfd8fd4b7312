/** What a switch of configurations needs to know: the former ones, and how far the watermarks on a log are. */
import type { Kafka } from 'kafkajs'
import { detectConfig, respondConfig } from '../../contract/configuration.ts'
import { decodeJson } from '../../contract/encoding.ts'
import type { ConfigurationStore } from '../../runtime/configuration-store.ts'
import type { KnownConfigurations } from '../../runtime/tasks.ts'
import { readRanges } from './reader.ts'

/** Records at the end of a partition in which its highest watermark is looked for. */
const tailRecords = 5_000

/** Every configuration of detect and respond that this program can still read; none without a database. */
export async function knownConfigurations(store: ConfigurationStore | undefined): Promise<KnownConfigurations> {
  if (store === undefined) return {}
  const [detect, respond] = await Promise.all([store.list('detect'), store.list('respond')])
  return {
    detect: new Map(
      detect.flatMap(({ digest, body }) => {
        const parsed = detectConfig.safeParse(body)
        return parsed.success ? [[digest, parsed.data] as const] : []
      }),
    ),
    respond: new Map(
      respond.flatMap(({ digest, body }) => {
        const parsed = respondConfig.safeParse(body)
        return parsed.success ? [[digest, parsed.data] as const] : []
      }),
    ),
  }
}

/**
 * The highest watermark at the end of a partition of `panes` or `casefile`: no task has judged anything after it.
 *
 * @returns 0 where there is none: nothing was judged yet
 */
export async function highestWatermark(
  kafka: Kafka,
  of: { topic: string; partition: number; low: number; high: number },
): Promise<number> {
  const { topic, partition, low, high } = of
  let highest = 0
  await readRanges(kafka, [{ topic, partition, from: Math.max(low, high - tailRecords), to: high }], ({ value }) => {
    highest = Math.max(highest, watermarkOf(value))
  })
  return highest
}

function watermarkOf(value: Uint8Array | null): number {
  if (value === null) return 0
  try {
    const { watermarkMs } = decodeJson(value) as { watermarkMs?: unknown }
    return Number.isSafeInteger(watermarkMs) ? (watermarkMs as number) : 0
  } catch {
    return 0 // somebody else's
  }
}
