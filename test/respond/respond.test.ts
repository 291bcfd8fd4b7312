import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { verifyAuditChain } from '../../stream/contract/audit-chain.ts'
import { canonicalJson } from '../../stream/contract/encoding.ts'
import { frontierHeader, offsetHeader } from '../../stream/respond/answer.ts'
import { Bench, bodies, lineage, minute, poolRunbook, start, wall } from './bench.ts'
import { dice, endMs, findings, give, live, log, type RecordedAnswer } from './schedule.ts'

const config = {
  runbooks: [
    poolRunbook,
    {
      name: 'ladder',
      match: { problems: ['latency', 'errors'], entities: ['*'] },
      steps: [{ action: 'serve' }, { action: 'stop', verify: { within: '10m' } }],
    },
  ],
  policy: { allow: ['serve'] },
  dependsOn: { order: ['payment'] },
  maxEntities: 4,
  safety: { attempts: 3 },
} satisfies ConstructorParameters<typeof Bench>[0]

const numRuns = 30
/** A busy machine needs several times as long as an idle one. */
const patience = 120_000
const seed = fc.integer({ min: 0, max: 1_000_000 })

function bench(): Bench {
  return new Bench(config)
}

function text(one: Bench): string {
  return one.emissions.map(canonicalJson).join('\n')
}

describe('what comes out', () => {
  it(
    'does not depend on how tasks interleave, how coarse watermarks are, or what comes twice',
    () => {
      fc.assert(
        fc.property(findings, seed, seed, (given, one, other) => {
          const [first, second] = [bench(), bench()]
          for (const entry of log(given, dice(one))) give(first, entry)
          for (const entry of log(given, dice(other))) give(second, entry)
          expect(text(second)).toBe(text(first))
        }),
        { numRuns },
      )
    },
    patience,
  )

  it(
    'does not depend on where the task is stored and restored',
    () => {
      fc.assert(
        fc.property(findings, seed, (given, one) => {
          const [through, restarted] = [bench(), bench()]
          const entries = log(given, dice(one), true)
          const answers = live(through, entries, dice(one + 1))
          const roll = dice(one + 2)
          for (const { offset, body, headers, timestampMs } of interleaved(entries, answers)) {
            if (roll() < 0.3) restarted.restart()
            expect(restarted.offset).toBe(offset)
            restarted.give(body, { headers, timestampMs })
          }
          expect(text(restarted)).toBe(text(through))
          expect(restarted.task.waiting).toBe(through.task.waiting)
          expect(restarted.task.watermarkMs).toBe(through.task.watermarkMs)
        }),
        { numRuns },
      )
    },
    patience,
  )

  it(
    'is the same, byte for byte, in a replay that is given the recorded answers',
    () => {
      fc.assert(
        fc.property(findings, seed, seed, fc.boolean(), (given, one, other, withIdleTicks) => {
          const [original, replayed] = [bench(), bench()]
          const answers = live(original, log(given, dice(one), true), dice(one + 1))
          for (const { body, timestampMs, offset, frontierMs, hadEffect } of answers) {
            if (!hadEffect && !withIdleTicks) continue
            const headers = { [frontierHeader]: String(frontierMs ?? ''), [offsetHeader]: String(offset) }
            replayed.give(body, { timestampMs, headers })
          }
          const roll = dice(other + 1)
          for (const entry of log(given, dice(other))) {
            give(replayed, entry)
            if (roll() < 0.1) replayed.restart()
          }
          expect(text(replayed)).toBe(text(original))
          expect(verifyAuditChain(original.audit())).toMatchObject({ ok: true })
        }),
        { numRuns },
      )
    },
    patience,
  )

  it(
    'leaves nothing behind when all is over but keys, chains and the position',
    () => {
      fc.assert(
        fc.property(findings, seed, (given, one) => {
          const over = bench()
          const ends = given.flatMap(({ entity, problem }) => {
            return [{ entity: entity!, problem: problem!, status: 'stable' as const, timeMs: endMs - 60 * minute }]
          })
          const unique = new Map(ends.map((end) => [`${end.entity} ${end.problem}`, end]))
          live(over, log([...given, ...unique.values()], dice(one), true), dice(one + 1))
          for (let tick = 0; tick < 10; tick++) over.tick(wall + (1000 + tick) * 60 * minute)
          for (let task = 0; task < 3; task++) over.watermark(endMs + 1000 * minute, task, 3)
          over.tick(wall + 2000 * 60 * minute)
          for (let task = 0; task < 3; task++) over.watermark(endMs + 9000 * minute, task, 3)
          over.restart()
          expect(over.task.waiting).toBe(false)
          const kept = [...over.parts.keys()].filter((part) => !part.startsWith('audit/'))
          expect(kept.filter((part) => !['keys', 'order', 'timers'].includes(part))).toEqual([])
          expect(new TextDecoder().decode(over.parts.get('timers') ?? new Uint8Array([0x5b, 0x5d]))).toBe('[]')
        }),
        { numRuns },
      )
    },
    patience,
  )
})

it(
  'the stories of these properties are not dull',
  () => {
    const seen = new Set<string>()
    for (const [index, given] of fc.sample(findings, { seed: 1, numRuns: 60 }).entries()) {
      const one = bench()
      live(one, log(given, dice(index), true), dice(index + 1))
      for (const { event } of one.audit()) seen.add(event)
    }
    expect([...seen]).toEqual(
      expect.arrayContaining([
        'incident-closed',
        'incident-escalated',
        'fingerprint-suppressed',
        'fingerprint-not-attached',
        'proposal-withdrawn',
        'proposal-expired',
        'proposal-approved',
        'proposal-rejected',
        'decision-refused',
        'command-issued',
        'remediation-failed',
        'remediation-recovered',
        'remediation-not-recovered',
        'result-ignored',
      ]),
    )
  },
  patience,
)

/** The log of a live run: entries and answers at the offsets that they had. */
function interleaved(entries: ReturnType<typeof log>, answers: readonly RecordedAnswer[]) {
  const byOffset = new Map(answers.map((answer) => [answer.offset, answer]))
  const rest = [...entries]
  return Array.from({ length: entries.length + answers.length }, (_, index) => {
    const offset = index + 1 // after the incarnation
    const answer = byOffset.get(offset)
    if (answer !== undefined) return { offset, body: answer.body, headers: {}, timestampMs: answer.timestampMs }
    const { body, task } = rest.shift()!
    return { offset, body, headers: { sentinel_lineage: `detect/${task}:17:3:00ff` }, timestampMs: wall }
  })
}

describe('a live task', () => {
  it('does not believe headers of a replay once it has read a finding', () => {
    const one = bench()
    one.finds({})
    one.watermark(start + minute)
    const headers = { [frontierHeader]: String(endMs), [offsetHeader]: '7' }
    const out = one.give(one.decision(), { timestampMs: wall, headers })
    expect(bodies(out, 'audit')[0]).toMatchObject({
      cause: { kind: 'decision', offset: 4, frontierMs: start + minute },
    })
  })

  it('has no frontier until every detect task has spoken', () => {
    const one = bench()
    one.find({}, 0)
    one.watermark(endMs, 0, 2)
    expect(one.task.watermarkMs).toBeNull()
    expect(one.emissions).toEqual([])
    one.watermark(start, 1, 2)
    expect(one.task.watermarkMs).toBe(start)
    expect(one.incidents()).toHaveLength(1)
  })

  it('stores only what changed', () => {
    const one = bench()
    one.finds({})
    expect([...one.task.changes().keys()].sort()).toEqual([
      'audit/shop',
      'fingerprints/shop',
      `incident/${one.incident().id}`,
      'keys',
      'order',
      'timers',
    ])
    expect(one.task.changes().size).toBe(0)
    one.watermark(start + 1)
    expect([...one.task.changes().keys()]).not.toContain('keys')
  })

  it('says nothing at the end of a batch', () => {
    expect(bench().task.endOfBatch()).toEqual([])
  })
})

it('a recorded answer whose frontier is lower than its elder’s waits for it: the order of the log holds', () => {
  const one = bench()
  const at = (frontierMs: number) => ({ headers: { [frontierHeader]: String(frontierMs) } })
  const result = (state: string) => {
    return { type: 'command-result', tenant: 'shop', commandId: '5'.repeat(32), state, executor: 'e' }
  }
  one.give(result('accepted'), at(start + 2 * minute))
  one.give(result('succeeded'), at(start + minute))
  expect(one.emissions).toEqual([])
  one.watermark(start + 5 * minute)
  expect(one.audit().map(({ details, timeMs }) => [details['state'], timeMs])).toEqual([
    ['accepted', start + 2 * minute],
    ['succeeded', start + 2 * minute],
  ])
})

describe('a record of casefile that cannot be what it says', () => {
  const own = new Bench(config, { owns: (tenant) => tenant === 'shop' })
  const ignored = (out: ReturnType<Bench['give']>) =>
    (bodies(out, 'audit') as { event: string; details: { reason: string } }[]).map(({ event, details }) => {
      expect(event).toBe('record-ignored')
      return details.reason
    })

  it('changes nothing and is audited: of another partition’s tenant, or of a task that did not send it', () => {
    expect(ignored(own.find({ tenant: 'elsewhere' }))).toEqual([
      'a finding of a tenant whose records belong into another partition',
    ])
    const result = {
      type: 'command-result',
      tenant: 'elsewhere',
      commandId: '0'.repeat(32),
      state: 'failed',
      executor: 'e',
    }
    expect(ignored(own.give(result))).toEqual([
      'a command-result of a tenant whose records belong into another partition',
    ])
    const watermark = { type: 'task-watermark', task: 1, taskCount: 2, watermarkMs: start }
    for (const headers of [{}, lineage(0), { sentinel_lineage: 'ingest/detect/1:0:0:' }]) {
      expect(ignored(own.give(watermark, { headers }))).toEqual(['a watermark of detect task 1 that it did not send'])
    }
    expect(own.task.counts).toMatchObject({ findings: 0, watermarks: 0, ignored: 5 })
  })
})
