/** Switches of configurations on a real log: which ones are known, and who declares one when. */
import type { Kafka } from 'kafkajs'
import { casefileRecord } from '../../contract/case.ts'
import { detectConfig, respondConfig } from '../../contract/configuration.ts'
import { decodeJson } from '../../contract/encoding.ts'
import { panesRecord } from '../../contract/pane.ts'
import type { ConfigurationStore } from '../../runtime/configuration-store.ts'
import { configurationSwitched, type Signer } from '../../runtime/declarations.ts'
import type { OutgoingRecord } from '../../runtime/emission.ts'
import type { JudgingRunner } from '../../runtime/task-runner.ts'
import type { KnownConfigurations } from '../../runtime/tasks.ts'
import { readRanges } from './reader.ts'

/** Records at the end of a partition in which its highest watermark is looked for, at least. */
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
 * An event time that nothing on a log lies beyond: no task has judged anything after it, and no switch begins later.
 *
 * @param of.next first offset that the task has not folded: everything from there on is looked at
 * @returns 0 where nothing was judged yet
 */
async function beyondAll(
  kafka: Kafka,
  of: { topic: string; partition: number; low: number; high: number; next: number },
): Promise<number> {
  const { topic, partition, low, high, next } = of
  let beyondMs = 0
  const from = Math.max(low, Math.min(next, high - tailRecords))
  await readRanges(kafka, [{ topic, partition, from, to: high }], ({ value }) => {
    for (const timeMs of timesOf(value)) beyondMs = Math.max(beyondMs, timeMs)
  })
  return beyondMs
}

/** Times that a task cannot lie before once it has read the record; none of what is no record of ours. */
function timesOf(value: Uint8Array | null): number[] {
  if (value === null) return []
  let body: unknown
  try {
    body = decodeJson(value)
  } catch {
    return []
  }
  const read = panesRecord.safeParse(body).data ?? casefileRecord.safeParse(body).data
  switch (read?.type) {
    case 'heartbeat':
    case 'idle':
    case 'task-watermark':
      return [read.watermarkMs]
    case 'configuration-switch':
      return [read.atMs + 1] // the next one is after it
    default:
      return []
  }
}

/**
 * Switches declared one after the other although none of them was taken; then the task stays under the former one. One is
 * refused whose time was judged already when it is read: while a backlog is worked off, event time runs. Each try goes
 * twice as far ahead of it as it ran since the one before.
 */
const triesMax = 6

/**
 * Sees to it that a task of detect or respond goes on under this process' configuration: says so on the task's log where
 * it is under another one, or on the way to another, because whoever had the partition before said that.
 */
export class ConfigurationKeeper {
  private readonly options: {
    readonly kafka: Kafka
    readonly stage: 'detect' | 'respond'
    readonly topic: string
    readonly partition: number
    readonly runner: JudgingRunner
    /** Of this process' configuration. */
    readonly digest: string
    /** Of the stored checkpoint. */
    readonly watermarkMs: number | null
    readonly signer: Signer | undefined
    readonly range: () => Promise<{ low: number; high: number } | undefined>
    readonly send: (record: OutgoingRecord) => Promise<void>
    readonly onDeclared: (detail: string) => void
  }
  /** First offset after what was declared last: until it is read nobody knows whether it was taken. */
  private declaredUpTo = 0
  private tries = 0
  private beyondMs = 0

  constructor(options: ConfigurationKeeper['options']) {
    this.options = options
  }

  /** Whether a switch has to be declared: {@link declare} it. */
  get isNeeded(): boolean {
    const { runner, digest } = this.options
    if (leadsTo(runner) === digest) this.tries = 0
    return leadsTo(runner) !== digest && runner.next >= this.declaredUpTo && this.tries < triesMax
  }

  async declare(): Promise<void> {
    const { kafka, stage, topic, partition, runner, digest, signer } = this.options
    const range = await this.options.range()
    if (range === undefined) return
    const previousDigest = leadsTo(runner)
    const logMs = await beyondAll(kafka, { topic, partition, ...range, next: runner.next })
    const beyondMs = Math.max(this.options.watermarkMs ?? 0, runner.task.watermarkMs ?? 0, logMs)
    const aheadMs = this.tries === 0 ? 0 : 2 ** this.tries * (beyondMs - this.beyondMs)
    const atMs = beyondMs + Math.max(0, aheadMs)
    this.beyondMs = beyondMs
    this.tries++
    await this.options.send(
      configurationSwitched({
        ...{ stage, partition, previousDigest, digest, atMs },
        ...(stage === 'respond' && signer !== undefined ? { signer } : {}),
      }),
    )
    this.declaredUpTo = (await this.options.range())?.high ?? range.high
    this.options.onDeclared(
      `${stage}/${partition} goes on under configuration ${digest} instead of ${previousDigest}, from ${new Date(atMs).toISOString()} of event time on`,
    )
  }
}

function leadsTo({ task }: JudgingRunner): string {
  return task.pendingDigest ?? task.digest
}
