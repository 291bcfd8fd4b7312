import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { runbook } from '../../stream/contract/configuration.ts'
import { consult, defaultPolicy, type Policy, type PolicyInput } from '../../stream/respond/policy.ts'
import { matchesGlob } from '../../stream/respond/runbook.ts'
import { Bench, events, hour, minute, poolRunbook, start, wall } from './bench.ts'

type Config = NonNullable<ConstructorParameters<typeof Bench>[0]>

const ladder = {
  name: 'ladder',
  match: { problems: ['latency'] },
  steps: [{ action: 'one' }, { action: 'two' }, { action: 'three' }],
} satisfies NonNullable<Config['runbooks']>[number]

function planned(config: Config, options: { policy?: Policy } = {}): Bench {
  const bench = new Bench({ runbooks: [poolRunbook], ...config }, options)
  bench.finds({})
  bench.watermark(start + 1)
  return bench
}

function states(bench: Bench): string[] {
  return bench.remediations().map(({ proposal, state }) => `${proposal.action}: ${state}`)
}

describe('a plan', () => {
  it('is made once all findings of the time are attached, for the cause that they show', () => {
    const bench = new Bench({ runbooks: [poolRunbook] })
    bench.finds({ entity: 'service:gateway' }, { entity: 'service:payment', onsetMs: start - minute })
    expect(bench.remediations()).toEqual([])
    bench.watermark(start + 1)
    expect(bench.remediations()).toHaveLength(1)
    expect(bench.remediations()[0]!.proposal.target).toBe('service:payment')
  })

  it('is taken back for a better one while nobody has approved it', () => {
    const bench = planned({})
    bench.finds({ entity: 'service:db', timeMs: start + minute, onsetMs: start - 5 * minute })
    bench.watermark(start + 2 * minute)
    expect(bench.remediations().map(({ proposal, state }) => [proposal.target, state])).toEqual([
      ['service:payment', 'expired'],
      ['service:db', 'awaiting-approval'],
    ])
    expect(bench.incident().escalated).toBe(false)
  })

  it('stays when somebody has approved it', () => {
    const bench = planned({ approvals: { required: 2 } })
    bench.decide()
    bench.finds({ entity: 'service:db', timeMs: start + minute, onsetMs: start - 5 * minute })
    bench.watermark(start + 2 * minute)
    expect(bench.incident().cause.entity).toBe('service:db')
    expect(bench.remediations()).toMatchObject([{ state: 'awaiting-approval' }])
  })

  it('is not made where no runbook matches, and says so once', () => {
    const bench = planned({ runbooks: [{ ...poolRunbook, match: { problems: ['latency'], entities: ['order'] } }] })
    bench.finds({ entity: 'service:zebra', timeMs: start + minute })
    bench.watermark(start + 2 * minute)
    expect(bench.remediations()).toEqual([])
    expect(events(bench.emissions).filter((event) => event === 'proposal-withheld')).toHaveLength(1)
  })

  it('goes on with the next step after a failure, within the attempts', () => {
    const bench = planned({ runbooks: [ladder], safety: { attempts: 2 } })
    bench.decide()
    bench.result('failed')
    expect(states(bench)).toEqual(['one: failed', 'two: awaiting-approval'])
    bench.decide()
    bench.result('refused')
    expect(states(bench)).toEqual(['one: failed', 'two: failed'])
    expect(bench.incident().narrative.at(-1)).toContain('2 of 2 attempts are used up')
  })

  it('tries the next step when the signal comes back after a recovery', () => {
    const bench = planned({ runbooks: [ladder] })
    bench.decide()
    bench.result('succeeded')
    bench.finds({ status: 'stable', timeMs: start + 5 * minute }, { timeMs: start + 7 * minute })
    bench.watermark(start + 8 * minute)
    expect(states(bench)).toEqual(['one: recovered', 'two: awaiting-approval'])
  })
})

describe('safety', () => {
  it('proposes nothing with the kill switch, whatever policy says', () => {
    const bench = planned({ killSwitch: true, policy: { allow: ['recycle'] } })
    bench.tick(wall)
    expect(bench.remediations()).toEqual([])
    expect(events(bench.emissions)).toContain('proposal-withheld')
    expect(bench.commands()).toEqual([])
  })

  it('is asked again when the command would go out: a kill switch reaches what was approved before', () => {
    const bench = planned({})
    const decision = bench.decision()
    const options = bench.options as { config: typeof bench.options.config }
    options.config = { ...bench.options.config, killSwitch: true }
    bench.restart()
    const out = bench.give(decision)
    expect(events(out)).toEqual(['proposal-approved', 'command-withheld', 'incident-escalated'])
    expect(bench.commands()).toEqual([])
    expect(states(bench)).toEqual(['recycle: denied'])
  })

  it('holds the commands for one target in an hour', () => {
    const bench = planned({ runbooks: [ladder], safety: { commandsPerHour: 1, attempts: 5 } })
    bench.decide()
    bench.result('failed')
    expect(states(bench)).toEqual(['one: failed'])
    expect(bench.incident().narrative.at(-1)).toContain('1 of 1 commands within the hour')
  })

  it('does not repeat a remedy within the cooldown, across incidents', () => {
    const bench = planned({ cooldown: '40m' })
    bench.decide()
    bench.result('succeeded')
    bench.finds({ status: 'stable', timeMs: start + minute })
    const other = { entity: 'service:order', timeMs: start + 20 * minute }
    bench.finds(other, { timeMs: start + 29 * minute, problem: 'errors', onsetMs: start + 10 * minute })
    bench.watermark(start + 30 * minute)
    expect(bench.incidents().at(-1)!.cause.entity).toBe('service:payment')
    expect(bench.incidents().at(-1)!.narrative.at(-1)).toContain(
      'recycle of service:payment was commanded within the cooldown',
    )
    expect(bench.commands()).toHaveLength(1)
  })
})

describe('policy', () => {
  it('denies, and the next step is proposed instead', () => {
    const bench = planned({ runbooks: [ladder], policy: { deny: ['one'] } })
    expect(states(bench)).toEqual(['one: denied', 'two: awaiting-approval'])
  })

  it('allows: the command waits for the first tick, which tells the time', () => {
    const bench = planned({ policy: { allow: ['recycle'] } })
    expect(bench.remediations()[0]).toMatchObject({ state: 'awaiting-approval', approvalsRequired: 0 })
    expect(bench.commands()).toEqual([])
    expect(bench.task.waiting).toBe(true)
    expect(events(bench.decide())).toEqual(['decision-refused'])
    bench.tick(wall + minute)
    expect(bench.commands()).toMatchObject([{ policy: 'allow', approvedBy: [], notAfterMs: wall + 16 * minute }])
  })

  it('that fails denies', () => {
    const policy: Policy = {
      decide() {
        throw new Error('the engine is away')
      },
    }
    const bench = planned({}, { policy })
    bench.tick(wall + hour)
    expect(bench.remediations()).toMatchObject([
      { state: 'denied', policy: { outcome: 'deny', reasons: ['the policy failed'] } },
    ])
    expect(bench.commands()).toEqual([])
  })

  it.each([undefined, null, {}, { outcome: 'yes', reasons: [] }, { outcome: 'allow' }])(
    'that answers %j denies',
    (answer) => {
      const policy = { decide: () => answer } as unknown as Policy
      expect(consult(policy, {} as PolicyInput).outcome).toBe('deny')
    },
  )

  it('by default: a denial outweighs an allowance, all else needs approval', () => {
    const policy = defaultPolicy({ allow: ['a', 'b'], deny: ['b'] })
    const outcome = (action: string) => policy.decide({ proposal: { action } } as PolicyInput).outcome
    expect(['a', 'b', 'c'].map(outcome)).toEqual(['allow', 'deny', 'approve'])
  })
})

describe('globs', () => {
  it.each([
    ['*', '', true],
    ['service:*', 'service:payment', true],
    ['service:*', 'model:churn', false],
    ['pay*', 'payment', true],
    ['*a*a*', 'banana', true],
    ['*a*a*a*a*', 'banana', false],
    ['a*a', 'a', false],
    ['a.c', 'abc', false],
    ['payment', 'payment2', false],
    ['**', 'x', true],
  ])('%s on %s: %s', (glob, text, expected) => {
    expect(matchesGlob(glob, text)).toBe(expected)
  })
})

it('the example runbooks have the form of runbooks', () => {
  const folder = new URL('../../examples/runbooks/', import.meta.url)
  const files = readdirSync(folder)
  expect(files.length).toBeGreaterThan(0)
  for (const file of files) {
    const { name } = runbook.parse(parse(readFileSync(new URL(file, folder), 'utf8')))
    expect(`${name}.yaml`).toBe(file)
  }
})
