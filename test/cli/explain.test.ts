import { describe, expect, it } from 'vitest'
import { explain } from '../../stream/cli/explain.ts'
import { incidents } from '../../stream/cli/incidents.ts'
import { createTerminal } from '../../stream/cli/terminal.ts'
import { idOf } from '../../stream/contract/id.ts'
import type { SentinelError } from '../../stream/errors.ts'
import { abstained, evidence, numeric, referenceId, verdict, vote } from '../explain/evidence.ts'
import { startApi, token } from '../io/http/api.ts'
import { incident, learnedReference, noonMs } from '../io/records.ts'

const colours = new RegExp(`${String.fromCharCode(27)}\\[\\d+m`, 'g')

/** A terminal that is a pipe, or one of a width that draws. */
function terminalOf(columns?: number) {
  const lines: string[] = []
  const errors: string[] = []
  const output = { write: (text: string) => lines.push(text), isTTY: columns !== undefined, columns }
  const errorOutput = { write: (text: string) => errors.push(text), isTTY: false }
  const terminal = createTerminal({ output, errorOutput, wishes: { noColor: false, dumb: false } })
  return { terminal, said: () => lines.join(''), failed: () => errors.join('') }
}

const stored = evidence({
  features: [
    numeric({ verdicts: [verdict('psi', { status: 'drift', score: 9, effect: 0.4 })] }),
    numeric({ feature: 'steers\u001b[2J', verdicts: [abstained('psi', 'too-few-rows', 40)] }),
  ],
  votes: [
    vote({ status: 'warning', score: 9, quorum: 1, groups: [{ group: 'two-sample', status: 'drift', score: 9 }] }),
  ],
})

async function run(
  asked: { id?: string; feature?: string; all?: boolean; json?: boolean; columns?: number } = {},
): Promise<{ code: number; said: string; failed: string }> {
  const api = await startApi()
  api.apply('measurements', [learnedReference(), stored.measurement])
  const { terminal, said, failed } = terminalOf(asked.columns)
  const { id = stored.measurement.id, feature, all = false, json = false } = asked
  const flags = { url: api.server.url, config: undefined, help: false, feature, all, json }
  const context = { flags, positionals: [id], terminal, signal: new AbortController().signal }
  const code = await withToken(() => explain.run(context))
  return { code, said: said(), failed: failed() }
}

async function withToken(ask: () => Promise<number>): Promise<number> {
  const before = process.env['SENTINEL_TOKEN']
  process.env['SENTINEL_TOKEN'] = token
  try {
    return await ask()
  } finally {
    if (before === undefined) delete process.env['SENTINEL_TOKEN']
    else process.env['SENTINEL_TOKEN'] = before
  }
}

describe('sentinel explain', () => {
  it('says why, in plain lines of 80 characters where it is no terminal', async () => {
    const { code, said, failed } = await run()
    expect([code, failed]).toEqual([0, ''])
    expect(said).toContain('age: warning')
    expect(said).toContain(`Reference ${referenceId.slice(0, 8)}: learned of 276 quiet slides`)
    expect(said).toContain('psi says drift')
    expect(said).not.toContain('\u001b')
    for (const line of said.split('\n')) expect([...line].length).toBeLessThanOrEqual(80)
  })

  it('draws on a terminal, in its width; what a topic says cannot', async () => {
    const { said } = await run({ columns: 50, all: true })
    const plain = said.replaceAll(colours, '')
    expect(said).not.toBe(plain)
    expect(plain).not.toContain('\u001b')
    expect(plain).toContain('steers')
    for (const line of plain.split('\n')) expect([...line].length).toBeLessThanOrEqual(50)
  })

  it('is what `sentinel incidents` names for each signal of an incident', async () => {
    const api = await startApi()
    const signal = {
      entity: 'service:payment',
      problem: 'errors',
      fingerprint: idOf('fingerprint'),
      onsetMs: noonMs,
    } as const
    const more = { status: 'active', score: 7, measurementId: stored.measurement.id } as const
    api.apply('incidents', [incident({ entities: [{ ...signal, ...more, features: ['error'] }] })])
    const { terminal, said } = terminalOf()
    const flags = { url: api.server.url, config: undefined, help: false, json: false, limit: 20, status: undefined }
    const asked = {
      flags,
      positionals: [idOf('incident', 'one').slice(0, 6)],
      terminal,
      signal: new AbortController().signal,
    }
    expect(await withToken(() => incidents.run(asked))).toBe(0)
    expect(said()).toContain(`why errors of payment: sentinel explain ${stored.measurement.id}`)
  })

  it('gives the evidence as JSON, for programs', async () => {
    const { said } = await run({ json: true })
    expect(JSON.parse(said)).toMatchObject({
      measurement: stored.measurement,
      references: [{ reference: referenceId }],
    })
  })

  it('says what is not there: a measurement, a feature of it, an id that is none', async () => {
    const other = await run({ id: '0'.repeat(32) })
    expect([other.code, other.said]).toEqual([66, ''])
    expect(other.failed).toContain(`there is no measurement ${'0'.repeat(32)}`)
    const feature = await run({ feature: 'amount' })
    expect([feature.code, feature.said]).toEqual([66, ''])
    expect(feature.failed).toContain('the measurement has no feature amount; it has age, steers')
    expect(feature.failed).not.toContain('\u001b[2J')
    const error = (await run({ id: '3f2a' }).catch((thrown: unknown) => thrown)) as SentinelError
    expect([error.code, error.message]).toEqual(['USAGE', expect.stringContaining('32 hex digits; found "3f2a"')])
  })
})
