/**
 * The demo's story: two quiet days, then an hour with a cascade and a drift, then recovery. It holds event time while an
 * approval waits, plays the executor, and heals what a command repairs. All input and output goes through its ports.
 */
import type { CommandResult } from '../contract/case.ts'
import type { Command, Incident, Remediation } from '../contract/incident.ts'
import type { Fault } from './faults.ts'
import { createTraffic, type SimulatedRecord } from './simulator.ts'

const minuteMs = 60_000
const hourMs = 60 * minuteMs
const dayMs = 24 * hourMs

/** The system that the story is played to. */
export interface StoryPort {
  produce(records: readonly SimulatedRecord[]): Promise<void>
  /** Resolves when respond has taken everything up to this event time. */
  settled(untilMs: number): Promise<void>
  /** The latest version of each incident, in order of opening. */
  incidents(): Promise<readonly Incident[]>
  commands(): Promise<readonly Command[]>
  decide(remediation: Remediation, decision: 'approve' | 'reject'): Promise<void>
  report(result: CommandResult): Promise<void>
  /** Lets a moment pass while something outside is awaited. */
  moment(): Promise<void>
}

/** Who tells the story, and who is asked. */
export interface Narrator {
  phase(text: string): void
  progress(done: number, total: number): void
  /** @param isNew whether it is told of for the first time */
  incident(incident: Incident, isNew: boolean): void
  say(text: string): void
  /**
   * Asks for approval. `answered` turns true when the answer came another way (the API, another terminal, expiry): then
   * null is the answer, as it is where nobody can answer here, or the story ends early.
   */
  ask(
    remediation: Remediation,
    incident: Incident,
    answered: () => Promise<boolean>,
  ): Promise<'approve' | 'reject' | null>
}

export interface StoryOptions {
  readonly seed: number
  /** First event time; a multiple of an hour. */
  readonly startMs: number
  readonly partitions: { readonly logs: number; readonly predictions: number }
  /** How far behind the newest event a settled frontier may be: lateness, a pane and the gaps of the traffic. */
  readonly behindMs: number
  /** Ends the story early; its port has to look at it too while it waits. */
  readonly signal?: AbortSignal
}

export interface StoryOutcome {
  readonly records: number
  /** Incidents opened before the faults began. */
  readonly quietIncidents: number
  readonly incidents: readonly Incident[]
  readonly faultMs: number
  readonly endMs: number
}

/** Event time after the faults' beginning at which the story ends at the latest. */
const longestMs = 5 * hourMs

/** @throws the signal's reason where it ends the story early */
export async function playStory(port: StoryPort, narrator: Narrator, options: StoryOptions): Promise<StoryOutcome> {
  const { startMs, behindMs, signal } = options
  const faultMs = startMs + 2 * dayMs
  const traffic = createTraffic(options)
  let records = 0
  const advance = async (untilMs: number) => {
    signal?.throwIfAborted()
    const made = traffic.advanceTo(untilMs)
    records += made.length
    await port.produce(made)
  }

  narrator.phase('Two quiet days: the first teaches references, the second is judged')
  for (let untilMs = startMs + hourMs; untilMs <= faultMs; untilMs += hourMs) {
    await advance(untilMs)
    // not too far ahead: what is in flight is held in memory somewhere
    if (untilMs - startMs > 6 * hourMs) await port.settled(untilMs - 6 * hourMs)
    narrator.progress(untilMs - startMs, 2 * dayMs)
  }
  await port.settled(faultMs - behindMs)
  const quietIncidents = (await port.incidents()).length

  narrator.phase("An hour with faults: payment's connection pool is exhausted; a feature of model churn drifts")
  traffic.startCascade(faultMs)
  traffic.startDrift(faultMs)
  const told = new Map<string, number>()
  const asked = new Set<string>()
  let healed = 0
  for (let nowMs = faultMs + minuteMs; nowMs <= faultMs + longestMs; nowMs += minuteMs) {
    await advance(nowMs)
    await port.settled(nowMs - behindMs)
    for (const incident of await port.incidents()) {
      const known = told.get(incident.id)
      if (known !== undefined && known >= incident.version) continue
      told.set(incident.id, incident.version)
      narrator.incident(incident, known === undefined)
    }
    for (const { incident, remediation } of waiting(await port.incidents())) {
      if (asked.has(remediation.proposal.commandId)) continue
      asked.add(remediation.proposal.commandId)
      const command = await answer(port, narrator, { incident, remediation, signal })
      if (command === undefined) continue
      const fault = faultOf(command)
      if (fault !== null) {
        traffic.heal(fault, nowMs)
        healed++
      }
      await execute(port, narrator, command, fault)
    }
    const incidents = await port.incidents()
    const closed = incidents.filter(({ status }) => status === 'closed').length
    if (healed >= 2 && incidents.length === closed) break
    // what nobody repairs goes on: an hour of it is enough to see the escalation
    if (nowMs >= faultMs + hourMs + 30 * minuteMs && healed === 0) break
  }
  return { records, quietIncidents, incidents: await port.incidents(), faultMs, endMs: traffic.nowMs }
}

function waiting(incidents: readonly Incident[]) {
  return incidents.flatMap((incident) =>
    incident.remediations
      .filter(({ state }) => state === 'awaiting-approval')
      .map((remediation) => ({ incident, remediation })),
  )
}

/** Event time stands still here. @returns the command, if the answer led to one */
async function answer(
  port: StoryPort,
  narrator: Narrator,
  asked: { incident: Incident; remediation: Remediation; signal: AbortSignal | undefined },
): Promise<Command | undefined> {
  const { incident, remediation, signal } = asked
  const { commandId } = remediation.proposal
  const isWaiting = async () =>
    waiting(await port.incidents()).some((entry) => entry.remediation.proposal.commandId === commandId)
  const decision = await narrator.ask(remediation, incident, async () => !(await isWaiting()))
  if (decision !== null) await port.decide(remediation, decision)
  while (await isWaiting()) {
    signal?.throwIfAborted()
    await port.moment()
  }
  for (let tries = 0; tries < 50; tries++) {
    const command = (await port.commands()).find(({ id }) => id === commandId)
    if (command !== undefined) return command
    const state = (await port.incidents())
      .flatMap(({ remediations }) => remediations)
      .find(({ proposal }) => proposal.commandId === commandId)?.state
    if (state === 'rejected' || state === 'expired' || state === 'denied') break
    await port.moment()
  }
  narrator.say(`No command was sent: ${remediation.proposal.action} was not approved. The fault goes on.`)
  return undefined
}

async function execute(port: StoryPort, narrator: Narrator, command: Command, fault: Fault | null): Promise<void> {
  narrator.say(
    `Command ${command.id.slice(0, 8)}: ${command.action} on ${command.target}, approved by ${command.approvedBy.join(', ') || 'policy'}`,
  )
  const { id: commandId, tenant } = command
  const executor = 'demo-executor'
  await port.report({ type: 'command-result', tenant, commandId, state: 'accepted', executor })
  const state = fault === null ? 'refused' : 'succeeded'
  const detail = fault === null ? `nothing here is called ${command.target}` : `${command.action} done`
  await port.report({ type: 'command-result', tenant, commandId, state, executor, detail })
  narrator.say(`Result ${state}: ${detail}`)
}

/** Which fault a command repairs: those of the services by the service that began it, the drift by the model. */
function faultOf(command: Command): Fault | null {
  if (command.target === 'service:payment') return 'cascade'
  if (command.target.startsWith('model:churn')) return 'drift'
  return null
}
