import { PassThrough } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { createNarrator, type NarratorOptions } from '../../stream/cli/demo-narrator.ts'
import { createTerminal } from '../../stream/cli/terminal.ts'
import type { Incident, Remediation } from '../../stream/contract/incident.ts'

const remediation = {
  proposal: { commandId: '0123456789abcdef', action: 'restart', target: 'service:payment', parameters: {} },
  policy: { outcome: 'approve', reasons: ['it is on no list'] },
} as unknown as Remediation
const incident = {
  id: 'one',
  version: 1,
  change: 'opened',
  severity: 'high',
  title: 'payment: latency',
  updatedMs: 0,
  entities: [],
  remediations: [],
  cause: { entity: 'service:payment', explanation: 'it was first' },
} as unknown as Incident

function narrated(over: Partial<Omit<NarratorOptions, 'terminal'>> & { isTTY?: boolean } = {}) {
  const { isTTY = true, ...rest } = over
  let text = ''
  const output = {
    isTTY: false,
    write: (part: string) => {
      text += part
      return true
    },
  }
  const input = Object.assign(new PassThrough(), { isTTY })
  const terminal = createTerminal({ output, errorOutput: output, input, wishes: { noColor: true, dumb: true } })
  const signal = new AbortController().signal
  const narrator = createNarrator({
    terminal,
    yes: false,
    elsewhere: (id) => `approve ${id} elsewhere`,
    signal,
    ...rest,
  })
  const ask = (answered = async () => false) => narrator.ask(remediation, incident, answered)
  return { narrator, ask, input, said: () => text }
}

describe('the question of the demo', () => {
  it('takes y and n, and says so to anything else', async () => {
    const { ask, input, said } = narrated()
    const first = ask()
    input.write('what\n')
    while (!said().includes('answer y or n')) await new Promise(setImmediate)
    input.write('y\n')
    expect(await first).toBe('approve')
    const second = ask()
    input.write('No\n')
    expect(await second).toBe('reject')
  })

  it('is answered by --yes', async () => {
    expect(await narrated({ yes: true }).ask()).toBe('approve')
  })

  it('says how one answers from elsewhere, where nobody can here', async () => {
    const { ask, said } = narrated({ isTTY: false })
    expect(await ask()).toBeNull()
    expect(said()).toContain('approve 01234567 elsewhere')
  })

  it('takes the end of input as no, where there is no elsewhere', async () => {
    const { ask, input, said } = narrated({ elsewhere: null })
    const answer = ask()
    input.end()
    expect(await answer).toBe('reject')
    expect(said()).toContain('taken as no')
  })

  it('gives way to a stop without a word about answers', async () => {
    const controller = new AbortController()
    const { ask, said } = narrated({ signal: controller.signal })
    const answer = ask()
    controller.abort()
    expect(await answer).toBeNull()
    expect(said()).not.toContain('elsewhere')
  })
})

describe('incidents as the demo tells them', () => {
  it('says what an update changed, and nothing where only figures moved', () => {
    const { narrator, said } = narrated()
    narrator.incident(incident, true)
    narrator.incident({ ...incident, version: 2, change: 'updated' }, false)
    narrator.incident({ ...incident, version: 3, change: 'updated', severity: 'critical' }, false)
    expect(said().trimEnd().split('\n')).toEqual([
      '00:00  opened    high     payment: latency',
      '       cause: it was first',
      '00:00  updated   critical payment: severity high → critical',
    ])
  })
})
