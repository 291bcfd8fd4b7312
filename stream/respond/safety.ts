/**
 * What stands before every policy and person, in code: no setting, policy or approval skips it. Asked when a step is
 * proposed, and again when its command is about to go out.
 */
import type { RespondConfig } from '../contract/configuration.ts'
import type { Proposal } from '../contract/incident.ts'
import type { IssuedCommand } from './state.ts'

export const hourMs = 3_600_000

export interface SafetyInput {
  readonly config: RespondConfig
  /** Event time. */
  readonly nowMs: number
  readonly action: string
  readonly target: string
  readonly purpose: Proposal['purpose']
  /** Remedies of this incident so far; null when the command goes out: it was counted when it was proposed. */
  readonly attempts: number | null
  /** Commands issued for this tenant. */
  readonly issued: readonly IssuedCommand[]
}

/**
 * @returns why it must not be done; empty when nothing speaks against it. A rollback is held by the kill switch and the
 *          hourly limit only: it undoes what an attempt did, soon after it.
 */
export function objections(input: SafetyInput): string[] {
  const { config, nowMs, action, target, purpose, attempts, issued } = input
  const reasons: string[] = []
  if (config.killSwitch) reasons.push('the kill switch is on')
  const lastHour = issued.filter((command) => command.target === target && nowMs - command.issuedMs < hourMs).length
  if (lastHour >= config.safety.commandsPerHour) {
    reasons.push(`${target} had ${lastHour} of ${config.safety.commandsPerHour} commands within the hour`)
  }
  if (purpose === 'rollback') return reasons
  if (purpose === 'remedy' && attempts !== null && attempts >= config.safety.attempts) {
    reasons.push(`${attempts} of ${config.safety.attempts} attempts are used up`)
  }
  const repeated = issued.some((command) => {
    return command.target === target && command.action === action && nowMs - command.issuedMs < config.cooldown
  })
  if (repeated) reasons.push(`${action} of ${target} was commanded within the cooldown`)
  return reasons
}

/** How long a command matters to a later one, in event time. */
export function rememberedMs(config: RespondConfig): number {
  return Math.max(hourMs, config.cooldown)
}

/** Commands that a later question may still ask for. */
export function remembered(issued: readonly IssuedCommand[], nowMs: number, config: RespondConfig): IssuedCommand[] {
  return issued.filter((command) => nowMs - command.issuedMs < rememberedMs(config))
}
