/** What the task of one source partition sends, each under an id of all that the record is about. */
import type { SourceConfig } from '../contract/configuration.ts'
import { idOf } from '../contract/id.ts'
import type { Outcome } from '../contract/outcome.ts'
import type { Heartbeat, Idle, SourceJoined } from '../contract/pane.ts'
import type { Emission, IdleDeclaration } from '../contract/stage.ts'
import { deadLetter, type LetterSource } from './dead-letter.ts'
import type { Rejected } from './decode/decoder.ts'
import type { Row, RowOutcome } from './extract.ts'
import type { PaneBuilder } from './pane.ts'
import { fitPane } from './pane-size.ts'

export class PartitionEmissions {
  readonly #source: SourceConfig
  readonly #digest: string
  readonly #origin: { readonly source: string; readonly partition: number; readonly partitionCount: number }
  /** Who has to know of the source's clock. */
  readonly #listeners: readonly ('panes' | 'outcomes')[]

  /** @param options.isJoined whether predictions and labels of the source go to `outcomes` */
  constructor(options: {
    source: SourceConfig
    partition: number
    partitionCount: number
    digest: string
    isJoined: boolean
  }) {
    const { source, partition, partitionCount, digest } = options
    this.#listeners = options.isJoined ? ['panes', 'outcomes'] : ['panes']
    this.#source = source
    this.#digest = digest
    this.#origin = { source: source.name, partition, partitionCount }
  }

  pane(slice: { readonly startMs: number; readonly endMs: number }, pane: PaneBuilder): Emission {
    const { tenant } = this.#source
    const { source, partition } = this.#origin
    const id = idOf('pane', this.#digest, source, partition, slice.startMs, tenant, pane.entity)
    const body = fitPane(pane, { id, tenant, source, partition, ...slice })
    return { topic: 'panes', route: 'key', key: `${tenant}/${pane.entity}`, id, timeMs: slice.endMs, body }
  }

  deadLetter(letter: LetterSource, rejected: Rejected): Emission {
    const { source, partition } = this.#origin
    return deadLetter(letter, { source, partition }, rejected)
  }

  /** @param at where it was read: which row of which record */
  outcome(
    row: Row & { readonly outcome: RowOutcome },
    at: { readonly offset: number; readonly index: number },
  ): Emission {
    const { tenant } = this.#source
    const { source, partition } = this.#origin
    const { entity, timeMs, outcome } = row
    const id = idOf('outcome', source, partition, at.offset, at.index)
    const body: Outcome = { type: 'outcome', id, tenant, source, partition, entity, timeMs, ...outcome }
    return { topic: 'outcomes', route: 'key', key: outcome.predictionId, id, timeMs, body }
  }

  sourceJoined(startOffset: number): Emission[] {
    const { pane, partitioning } = this.#source
    const cut = { paneMs: pane, partitioning, digest: this.#digest }
    return this.#declaration({ type: 'source-joined', ...this.#origin, startOffset, ...cut }, startOffset, 0)
  }

  heartbeat(watermarkMs: number): Emission[] {
    return this.#declaration({ type: 'heartbeat', ...this.#origin, watermarkMs }, watermarkMs, watermarkMs)
  }

  idle({ position, watermarkMs }: IdleDeclaration): Emission[] {
    return this.#declaration({ type: 'idle', ...this.#origin, position, watermarkMs }, position, watermarkMs)
  }

  #declaration(body: Heartbeat | Idle | SourceJoined, at: number, timeMs: number): Emission[] {
    const { source, partition, partitionCount } = this.#origin
    const id = idOf(body.type, this.#digest, source, partition, partitionCount, at, timeMs)
    const key = `${source}/${partition}`
    return this.#listeners.map((topic) => ({ topic, route: 'every', key, id, timeMs, body }))
  }
}
