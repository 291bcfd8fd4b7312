import { canonicalJson } from '../../../contract/encoding.ts'
import { idOf } from '../../../contract/id.ts'
import type { ModelQuality, QualitySlot } from '../../../contract/quality.ts'
import { bestByKey, type Column, insertRows, type Table, timestamp } from './rows.ts'

interface SlotRow {
  readonly body: ModelQuality
  readonly slot: QualitySlot
  readonly series: string
}

/** `model_quality`: the newest counts of each slot of each task. */
export const modelQualityTable: Table<'model-quality'> = {
  topic: 'model-quality',
  async insert(client, schema, rows) {
    const slots = rows.flatMap(({ body }) => {
      const { tenant, source, entity, model, version, segment } = body
      const series = idOf('series', tenant, source, entity, model, version, segment)
      return body.slots.map((slot): SlotRow => ({ body, slot, series }))
    })
    const newest = bestByKey(
      slots,
      ({ body, slot, series }) => `${series} ${body.task} ${slot.startMs}`,
      ({ body }, than) => body.asOfMs >= than.body.asOfMs,
    )
    await insertRows(client, { schema, table: 'model_quality', columns, conflict: replaceOlder }, newest)
  },
}

const columns: readonly Column<SlotRow>[] = [
  ['series', 'text', ({ series }) => series],
  ['task', 'integer', ({ body }) => body.task],
  ['slot_start', 'timestamptz', ({ slot }) => timestamp(slot.startMs)],
  ['slot_end', 'timestamptz', ({ slot }) => timestamp(slot.endMs)],
  ['tenant', 'text', ({ body }) => body.tenant],
  ['entity', 'text', ({ body }) => body.entity],
  ['source', 'text', ({ body }) => body.source],
  ['model', 'text', ({ body }) => body.model],
  ['version', 'text', ({ body }) => body.version],
  ['segment', 'text', ({ body }) => body.segment],
  ['as_of', 'timestamptz', ({ body }) => timestamp(body.asOfMs)],
  ['predictions', 'bigint', ({ slot }) => slot.predictions],
  ['labelled', 'bigint', ({ slot }) => slot.labelled],
  ['correct', 'bigint', ({ slot }) => slot.correct],
  ['unlabelled', 'bigint', ({ slot }) => slot.unlabelled],
  ['slot', 'json', ({ slot }) => canonicalJson(slot)],
]

const replaceOlder = `(series, task, slot_start) do update set as_of = excluded.as_of, predictions = excluded.predictions,
  labelled = excluded.labelled, correct = excluded.correct, unlabelled = excluded.unlabelled, slot = excluded.slot,
  stored_at = excluded.stored_at where old.as_of <= excluded.as_of`
