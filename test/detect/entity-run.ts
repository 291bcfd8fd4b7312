/** One entity stepped slide by slide, without a task or bytes around it: what simulations run on. */
import { detectConfig } from '../../stream/contract/configuration.ts'
import type { Finding, Measurement } from '../../stream/contract/finding.ts'
import type { Pane } from '../../stream/contract/pane.ts'
import { Entity } from '../../stream/detect/entity.ts'
import { compilePlan } from '../../stream/detect/plan.ts'
import type { ConfigInput } from './harness.ts'
import { paneMs, type TrafficOptions, traffic } from './traffic.ts'

export function runEntity(
  options: TrafficOptions,
  config: ConfigInput = {},
): { measurements: Measurement[]; findings: Finding[] } {
  const plan = compilePlan(detectConfig.parse(config))
  const measurements: Measurement[] = []
  const findings: Finding[] = []
  let entity: Entity | null = null
  let parts: Pane[] = []
  for (const slice of traffic(options)) {
    parts.push(...slice.parts)
    if (slice.endMs % plan.slideMs !== 0) continue
    if (entity === null && parts.length > 0) {
      entity = Entity.first(plan, 'test', { pane: parts[0]!, slideEndMs: slice.endMs })
    }
    const said = entity?.closeSlide(parts, { endMs: slice.endMs, paneMs, isSilent: false })
    if (said !== undefined) measurements.push(said.measurement)
    if (said?.finding) findings.push(said.finding)
    parts = []
  }
  return { measurements, findings }
}
