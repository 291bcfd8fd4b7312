/**
 * Commands that are the worker's own to carry out: that features of an entity begin anew. They pass through the ingest
 * group to `panes`, where detect reads them. All others are executors', and none of our business.
 */
import { z } from 'zod'
import { idOf } from '../contract/id.ts'
import { command } from '../contract/incident.ts'
import { type Rebaseline, rebaseline } from '../contract/pane.ts'
import type { IngestTask } from '../contract/stage.ts'
import { createCarryingTask } from './carried.ts'
import { isEventTime } from './decode/time.ts'

/** Of a command, all that has to be understood. */
const ours = z.object(command.pick({ id: true, tenant: true, target: true, parameters: true }).shape)
const others = z.object({ type: z.literal('command'), purpose: command.shape.purpose.exclude(['re-baseline']) })

/**
 * @param options.startOffset where to go on: the group's commit, or the earliest offset
 * @param options.slideMs of detect. It is done two slides after the command's own (event) time: what detect judges in the
 *   meantime it judges in a replay as well, where the command is known sooner
 */
export function createCommandsTask(options: { partition: number; startOffset: number; slideMs: number }): IngestTask {
  const { partition, slideMs } = options
  return createCarryingTask<Omit<Rebaseline, 'atMs'> | null>({
    ...options,
    topic: 'commands',
    read(value) {
      if (others.safeParse(value).success) return { value: null }
      const parsed = ours.safeParse(value)
      if (!parsed.success) return { reason: 'it is no command' }
      const { id, tenant, target, parameters } = parsed.data
      const body = { type: 're-baseline', id, partition, tenant, entity: target, features: featuresIn(parameters) }
      const checked = rebaseline.omit({ atMs: true }).safeParse(body)
      return checked.success ? { value: checked.data } : { reason: 'a re-baseline without its features' }
    },
    carry(body, { timeMs, headers }) {
      if (body === null) return []
      const issuedMs = Date.parse(headers['ce_time'] ?? '')
      const doneMs = Number(headers['sentinel_done'])
      const dueMs = (Math.ceil((isEventTime(issuedMs) ? issuedMs : timeMs) / slideMs) + 2) * slideMs
      // in a replay it is known at which slide the live run took it up
      const atMs = doneMs > 0 ? doneMs - slideMs : dueMs
      const id = idOf('re-baseline', body.id)
      return [
        { topic: 'panes', route: 'key', key: `${body.tenant}/${body.entity}`, id, timeMs, body: { ...body, atMs } },
      ]
    },
  })
}

function featuresIn({ features }: Readonly<Record<string, unknown>>): unknown {
  try {
    return JSON.parse(String(features))
  } catch {
    return null
  }
}
