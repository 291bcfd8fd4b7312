import { describe, expect, it } from 'vitest'
import type { Decision } from '../../stream/contract/case.ts'
import { idOf } from '../../stream/contract/id.ts'
import type { AuditEntry } from '../../stream/contract/incident.ts'
import type { Emission } from '../../stream/contract/stage.ts'
import { apiKey, Bench, bodies, finding, hour, minute, poolRunbook, signed, signer, start, wall } from './bench.ts'

function proposed(config: ConstructorParameters<typeof Bench>[0] = {}): Bench {
  const bench = new Bench({ runbooks: [poolRunbook], ...config })
  bench.finds({})
  bench.watermark(start + minute)
  return bench
}

/** Nothing but one line of the audit came out, and it says why. */
function expectRefused(bench: Bench, out: readonly Emission[], reason: string): void {
  expect(out.map(({ topic }) => topic)).toEqual(['audit'])
  expect(bodies(out, 'audit')).toMatchObject([{ event: 'decision-refused', details: { reason } }])
  expect(bench.commands()).toEqual([])
}

describe('a decision changes nothing', () => {
  const unsigned = 'no valid key has signed it'

  it.each<[string, Partial<Decision>]>([
    ['another decision', { decision: 'reject' }],
    ['another principal', { principal: 'bob' }],
    ['another command', { commandId: '1'.repeat(32) }],
    ['another digest', { proposalDigest: '2'.repeat(64) }],
    ['another tenant', { tenant: 'other' }],
    ['a later expiry', { expiresMs: wall + 24 * hour }],
    ['another reason', { reason: 'urgent' }],
    ['another key', { keyId: 'root' }],
    ['no signature', { signature: '' }],
  ])('altered after it was signed: %s', (_, change) => {
    const bench = proposed()
    expectRefused(bench, bench.give({ ...bench.decision(), ...change }), unsigned)
  })

  it('signed by a key that nobody declared, though under the name of one that is', () => {
    const bench = proposed()
    expectRefused(bench, bench.decide({}, { key: signer('api') }), unsigned)
  })

  it.each<[string, Partial<Decision>, string]>([
    ['for another proposal', { proposalDigest: '2'.repeat(64) }, 'it is about another proposal: the digest differs'],
    ['for an incident that is not', { incidentId: '3'.repeat(32) }, 'no such incident of this tenant'],
    ['for a command that is not', { commandId: '3'.repeat(32) }, 'the incident has no such proposal'],
    ['by the proposer', { principal: 'system' }, 'the proposer may not decide'],
    ['after its own end', { expiresMs: wall }, 'the decision has expired'],
  ])('%s', (_, change, reason) => {
    const bench = proposed()
    expectRefused(bench, bench.decide(change), reason)
  })

  it('of another tenant, which has no chain here: the chain of the partition notes it', () => {
    const bench = proposed()
    expectRefused(bench, bench.decide({ tenant: 'other' }), 'no such incident of this tenant')
    expect(bench.audit().at(-1)).toMatchObject({ tenant: 'sentinel/2', incidentId: null })
  })

  it('after the request has expired, judged by the time of the log', () => {
    const bench = proposed()
    bench.tick(wall)
    const out = bench.decide({}, { timestampMs: wall + 15 * minute })
    expectRefused(bench, out, 'the request has expired')
  })

  it('a second time: replayed records are known', () => {
    const bench = proposed()
    const decision = bench.decision()
    bench.give(decision)
    const again = bodies(bench.give(decision), 'audit') as AuditEntry[]
    expect(again).toMatchObject([{ event: 'decision-refused', details: { reason: 'it was taken before' } }])
    expect(bench.commands()).toHaveLength(1)
  })

  it('for a proposal that ended', () => {
    const bench = proposed()
    bench.decide({ decision: 'reject' })
    expectRefused(bench, bench.decide({ principal: 'bob' }), 'the proposal is rejected')
  })

  it('for a proposal that was taken back because the signals recovered', () => {
    const bench = proposed()
    bench.finds({ status: 'stable', timeMs: start + 2 * minute })
    expectRefused(bench, bench.decide(), 'the proposal is expired')
  })

  it('for an incident that is closed', () => {
    const bench = proposed()
    bench.finds({ status: 'stable', timeMs: start + 2 * minute })
    bench.watermark(start + 10 * minute)
    expectRefused(bench, bench.decide(), 'the incident is closed')
  })
})

describe('k of n', () => {
  const config = { approvals: { required: 2 } }

  it('needs different principals', () => {
    const bench = proposed(config)
    bench.decide()
    expect(bench.commands()).toEqual([])
    const same = bench.decide({ id: idOf('decision', 'another') })
    expect(bodies(same, 'audit')).toMatchObject([{ details: { reason: 'this principal has decided' } }])
    expect(bench.commands()).toEqual([])
    bench.decide({ principal: 'bob' })
    expect(bench.commands()).toMatchObject([{ approvedBy: ['ann', 'bob'] }])
  })

  it('ends with one rejection', () => {
    const bench = proposed(config)
    bench.decide()
    bench.decide({ principal: 'bob', decision: 'reject' })
    expect(bench.remediations()[0]!.state).toBe('rejected')
    bench.decide({ principal: 'eve' })
    expect(bench.commands()).toEqual([])
  })
})

describe('two persons of an issuer', () => {
  const person = (sub: string) => `https://login.example/realms/ops#${sub}`

  it('command together, and one of them alone does not, under whatever ids', () => {
    const bench = proposed({ approvals: { required: 2 } })
    bench.decide({ principal: person('ann') })
    expectRefused(
      bench,
      bench.decide({ principal: person('ann'), id: idOf('decision', 'once more') }),
      'this principal has decided',
    )
    expectRefused(bench, bench.decide({ principal: 'system' }), 'the proposer may not decide')
    bench.decide({ principal: person('bob') })
    expect(bench.commands()).toMatchObject([{ approvedBy: [person('ann'), person('bob')] }])
  })
})

describe('a decision that was good elsewhere changes nothing here', () => {
  it('as the answer to an earlier proposal of the same incident', () => {
    const bench = proposed()
    const early = bench.decision()
    bench.decide({ decision: 'reject', principal: 'bob' })
    bench.restart()
    expectRefused(bench, bench.give(early), 'the proposal is rejected')
  })

  it('copied into the casefile of another partition, where the tenant has no records', () => {
    const good = proposed().decision()
    const foreign = new Bench({ runbooks: [poolRunbook] }, { owns: () => false })
    const out = foreign.give(good)
    expect(bodies(out, 'audit')).toMatchObject([{ event: 'record-ignored', tenant: 'sentinel/2', incidentId: null }])
    expect(out.map(({ topic }) => topic)).toEqual(['audit'])
  })

  it('taken from a deployment with other keys', () => {
    const stranger = signer('api')
    const other = new Bench({ runbooks: [poolRunbook] }, { keys: [stranger] })
    other.finds({})
    other.watermark(start + minute)
    const bench = proposed()
    expectRefused(bench, bench.give(other.decision({}, stranger)), 'no valid key has signed it')
  })

  it('in the name of a chain that is our own', () => {
    const bench = proposed()
    for (const tenant of ['sentinel/2', 'sentinel/0', 'sentinel/']) {
      const out = bench.decide({ tenant })
      expect(bodies(out, 'audit')).toMatchObject([
        {
          event: 'record-ignored',
          tenant: 'sentinel/2',
          details: { reason: expect.stringContaining('kept for our own') },
        },
      ])
    }
    const found = bench.find({ tenant: 'sentinel/2' })
    expect(bodies(found, 'audit')).toMatchObject([{ event: 'record-ignored' }])
    bench.watermark(start + 2 * minute)
    expect(new Set(bench.incidents().map(({ tenant }) => tenant))).toEqual(new Set(['shop']))
  })
})

describe('keys that rotate', () => {
  it('are two at a time, and each rotation revokes the one before the last', () => {
    const bench = proposed({ approvals: { required: 3 } })
    const [second, third] = [signer('second'), signer('third')]
    bench.declareKey(second, apiKey)
    bench.decide({ principal: 'ann' })
    bench.decide({ principal: 'bob' }, { key: second })
    const waiting = bench.decision({ principal: 'carl' }) // signed before its key was revoked, appended after
    bench.declareKey(third, second, ['api'])
    expectRefused(bench, bench.give(waiting), 'no valid key has signed it')
    bench.decide({ principal: 'carl' }, { key: third })
    // what the revoked key had signed before its end counts still
    expect(bench.commands()).toMatchObject([{ approvedBy: ['ann', 'bob', 'carl'] }])
  })

  it('are kept over a restart, revoked ones too', () => {
    const bench = proposed()
    const second = signer('second')
    bench.declareKey(second, apiKey, ['api'])
    bench.restart()
    expectRefused(bench, bench.decide(), 'no valid key has signed it')
    const again = bench.declareKey(apiKey, second)
    expect(bodies(again, 'audit')).toMatchObject([{ details: { reason: 'a key of this name is known' } }])
    bench.decide({}, { key: second })
    expect(bench.commands()).toHaveLength(1)
  })

  it('may not be declared by one that was revoked', () => {
    const bench = proposed()
    bench.declareKey(signer('second'), apiKey, ['api'])
    const out = bench.declareKey(signer('third'), apiKey)
    expect(bodies(out, 'audit')).toMatchObject([{ event: 'key-refused' }])
  })
})

describe('keys', () => {
  it('declared by a valid one may sign, and be revoked', () => {
    const bench = proposed()
    const next = signer('next')
    bench.declareKey(next, apiKey, ['api'])
    expectRefused(bench, bench.decide(), 'no valid key has signed it')
    bench.decide({}, { key: next })
    expect(bench.commands()).toHaveLength(1)
  })

  it('are judged as they are when the decision is appended', () => {
    const bench = proposed({ approvals: { required: 2 } })
    bench.decide()
    bench.declareKey(signer('next'), apiKey, ['api'])
    expect(bench.remediations()[0]!.approvals).toHaveLength(1)
  })

  it.each([
    ['by one that is not declared', signer('other'), signer('next'), 'no valid key has signed it'],
    ['under the name of another', apiKey, signer('api'), 'a key of this name is known'],
    ['that are none', apiKey, { ...signer('next'), spki: 'AAAA' }, 'it is no Ed25519 key'],
  ])('declared %s are refused', (_, by, added, reason) => {
    const bench = proposed()
    const out = bench.declareKey(added, by)
    expect(bodies(out, 'audit')).toMatchObject([{ event: 'key-refused', details: { reason }, tenant: 'sentinel/2' }])
    expectRefused(bench, bench.decide({}, { key: { ...added, keyId: 'next' } }), 'no valid key has signed it')
  })

  it('altered in their declaration are refused', () => {
    const bench = proposed()
    const { keyId, spki } = signer('next')
    const declaration = { type: 'key-declaration', keyId, spki, revoke: [], signedBy: 'api', signature: '' } as const
    const altered = { ...signed(declaration, apiKey), spki: signer('evil').spki }
    expect(bodies(bench.give(altered), 'audit')).toMatchObject([{ event: 'key-refused' }])
  })

  it('are not taken from an incarnation later in the log', () => {
    const bench = proposed()
    const { keyId, spki } = signer('evil')
    const out = bench.give({ type: 'incarnation', incarnation: '1'.repeat(32), publicKeys: [{ keyId, spki }] })
    expect(bodies(out, 'audit')).toMatchObject([{ event: 'record-ignored' }])
  })
})

describe('results', () => {
  it.each([
    ['for a command that is not', { commandId: '4'.repeat(32) }, 'no open incident has such a command'],
    ['of another tenant', { tenant: 'other' }, 'no open incident has such a command'],
  ])('%s change nothing', (_, change, reason) => {
    const bench = proposed()
    bench.decide()
    const out = bench.result('succeeded', change)
    expect(out.map(({ topic }) => topic)).toEqual(['audit'])
    expect(bodies(out, 'audit')).toMatchObject([{ event: 'result-ignored', details: { reason } }])
    expect(bench.remediations()[0]!.state).toBe('commanded')
  })

  it('before the command change nothing', () => {
    const bench = proposed()
    const { commandId } = bench.remediations()[0]!.proposal
    const out = bench.give({ type: 'command-result', tenant: 'shop', commandId, state: 'succeeded', executor: 'e' })
    expect(bodies(out, 'audit')).toMatchObject([{ details: { reason: 'the remediation is awaiting-approval' } }])
  })

  it('are taken once for each state', () => {
    const bench = proposed()
    bench.decide()
    bench.result('accepted')
    expect(bodies(bench.result('accepted'), 'audit')).toMatchObject([{ details: { reason: 'it was reported before' } }])
    bench.result('succeeded')
    expect(bench.result('failed').map(({ topic }) => topic)).toEqual(['audit'])
    expect(bench.remediations()[0]!.state).toBe('verifying')
  })
})

describe('records of strangers', () => {
  it.each<[string, (bench: Bench) => Emission[]]>([
    ['no value', (bench) => bench.give(null)],
    ['no JSON', (bench) => bench.giveBytes(new TextEncoder().encode('hello {'))],
    ['no UTF-8', (bench) => bench.giveBytes(new Uint8Array([0xff, 0xfe]))],
    ['an unknown type', (bench) => bench.give({ type: 'sudo' })],
    ['a decision that lacks all', (bench) => bench.give({ type: 'decision' })],
    ['a finding that no task sent', (bench) => bench.give(finding())],
  ])('are counted and audited: %s', (_, give) => {
    const bench = proposed()
    const out = give(bench)
    expect(bodies(out, 'audit')).toMatchObject([{ event: 'record-ignored', tenant: 'sentinel/2' }])
    expect(bench.task.counts.ignored).toBe(1)
  })
})
