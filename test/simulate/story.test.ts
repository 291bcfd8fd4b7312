import { describe, expect, it } from 'vitest'
import type { Incident, Remediation } from '../../stream/contract/incident.ts'
import { type Narrator, playStory, type StoryPort } from '../../stream/simulate/story.ts'

const waiting = {
  state: 'awaiting-approval',
  proposal: { commandId: 'command', action: 'restart', target: 'service:payment' },
} as Remediation
const incident = { id: 'incident', version: 1, remediations: [waiting] } as unknown as Incident

/** A system in which one remedy waits for ever, once the faults have begun. */
function port(onMoment: () => void): StoryPort {
  return {
    produce: async () => {},
    settled: async () => {},
    incidents: async () => [incident],
    commands: async () => [],
    decide: async () => {},
    report: async () => {},
    moment: async () => onMoment(),
  }
}

function narrator(ask: Narrator['ask']): Narrator {
  return { phase() {}, progress() {}, incident() {}, say() {}, ask }
}

const options = { seed: 1, startMs: Date.UTC(2026, 0, 5), partitions: { logs: 1, predictions: 1 }, behindMs: 0 }

// the quiet days have to be made first
describe('playStory, told to stop', { timeout: 120_000 }, () => {
  it('ends where it produces', async () => {
    const controller = new AbortController()
    const asked = narrator(async () => 'approve')
    const stopping: Narrator = { ...asked, progress: () => controller.abort('told') }
    await expect(
      playStory(
        port(() => {}),
        stopping,
        { ...options, signal: controller.signal },
      ),
    ).rejects.toBe('told')
  })

  it('ends while it waits for an answer from elsewhere', async () => {
    const controller = new AbortController()
    let moments = 0
    const story = playStory(
      port(() => {
        // a wait that does not look at the signal goes on for ever: it is cut off, and said
        if (++moments === 3) controller.abort('told')
        if (moments > 10) throw new Error('it goes on waiting')
      }),
      narrator(async () => null),
      { ...options, signal: controller.signal },
    )
    await expect(story).rejects.toBe('told')
  })
})
