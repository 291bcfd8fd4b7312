/** One entity over days: a pane a slide, so that weeks of it take seconds. */
import { detectConfig } from '../../stream/contract/configuration.ts'
import type { Measurement } from '../../stream/contract/finding.ts'
import { Entity, type EntityParts, type SlideRecord } from '../../stream/detect/entity.ts'
import { compilePlan } from '../../stream/detect/plan.ts'
import type { LearningSlide, Reference } from '../../stream/detect/reference.ts'
import type { ConfigInput } from './harness.ts'
import { paneOf, type TestRow } from './panes.ts'

export const slideMs = 300_000
/** A Monday, 00:00 UTC. */
export const startMs = Date.UTC(2024, 0, 1)

/** What a task would have written down of one entity. */
class Written {
  slides = new Map<number, SlideRecord>()
  learning = new Map<number, LearningSlide>()
  references = new Map<string, Reference>()

  parts(entity: Entity): EntityParts {
    const state = JSON.parse(JSON.stringify(entity.state)) as EntityParts['state']
    const slides = [...this.slides.values()].sort((a, b) => a.summary.endMs - b.summary.endMs)
    const learning = [...this.learning.values()].sort((a, b) => a.endMs - b.endMs)
    const kept = new Set(entity.referenceIds)
    const references = [...this.references.values()].filter(({ id }) => kept.has(id))
    return JSON.parse(JSON.stringify({ state, slides, learning, references })) as EntityParts
  }
}

/**
 * @param of.rowsOf     rows of the slide with this index
 * @param of.restartAt  slides before which the entity goes on from what was written down
 */
export function runSlides(of: {
  slides: number
  config: ConfigInput
  rowsOf: (slide: number) => readonly TestRow[]
  restartAt?: readonly number[]
}): Measurement[] {
  const plan = compilePlan(detectConfig.parse(of.config))
  const written = new Written()
  let entity: Entity | null = null
  return Array.from({ length: of.slides }, (_, slide): Measurement => {
    const endMs = startMs + (slide + 1) * slideMs
    const rows = of.rowsOf(slide)
    const pane = paneOf({
      entity: 'm',
      kind: 'model',
      startMs: endMs - slideMs,
      paneMs: slideMs,
      rows,
      sampleRows: 500,
    })
    if (entity !== null && of.restartAt?.includes(slide)) entity = new Entity(plan, 'test', written.parts(entity))
    entity ??= Entity.first(plan, 'test', { pane, slideEndMs: endMs })
    const parts = rows.length > 0 ? [pane] : []
    const { measurement, changes } = entity.closeSlide(parts, { endMs, paneMs: slideMs, isSilent: true })
    written.slides.set(endMs, changes.slide)
    for (const dropped of changes.droppedSlidesMs) written.slides.delete(dropped)
    if (changes.learned !== null) written.learning.set(changes.learned.endMs, changes.learned)
    for (const dropped of changes.droppedLearningMs) written.learning.delete(dropped)
    if (changes.reference !== null) written.references.set(changes.reference.id, changes.reference)
    return measurement
  })
}
