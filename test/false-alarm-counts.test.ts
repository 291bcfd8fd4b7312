import { describe, expect, it } from 'vitest'
import { detectConfig, respondConfig } from '../stream/contract/configuration.ts'
import type { Finding, Measurement } from '../stream/contract/finding.ts'
import type { VerdictStatus } from '../stream/contract/verdict.ts'
import { createTelemetry } from '../stream/telemetry.ts'

const minuteMs = 60_000

function world(falseAlarms?: string) {
  const lines: { code: string; message: string }[] = []
  const telemetry = createTelemetry({
    log: 'json',
    write: (line) => lines.push(JSON.parse(line)),
    processMetrics: false,
  })
  const rule = {
    ...{ vote: 'latency', problem: 'latency', features: ['duration_ms'], detectors: ['student-t'], quorum: 1 },
    ...(falseAlarms === undefined ? {} : { falseAlarms }),
  }
  telemetry.budgeted({
    detect: detectConfig.parse({ votes: { service: [rule] } }),
    respond: respondConfig.parse({}),
  })
  const about = { tenant: 't', entity: 'service:a', kind: 'service', source: 'logs' } as const
  const vote = { vote: 'latency', feature: 'duration_ms', problem: 'latency' as const, score: 1, quorum: 1, groups: [] }
  return {
    lines,
    turn(at: { minutes: number; from: VerdictStatus; to: VerdictStatus; feature?: string; entity?: string }) {
      const { feature = 'duration_ms', entity = 'service:a' } = at
      const votes = [{ ...vote, feature, status: at.to, previous: at.from, changed: true }]
      const timeMs = at.minutes * minuteMs
      const finding: Finding = {
        type: 'finding',
        id: '0',
        ...about,
        entity,
        timeMs,
        measurementId: null,
        votes,
        evidence: [],
      }
      telemetry.emitted('casefile', finding)
    },
    evaluate(count: number, status: VerdictStatus = 'stable') {
      const measurement: Measurement = {
        ...{ type: 'measurement', id: '0', ...about, evaluationMs: 0, windowStartMs: 0, count: 0, features: [] },
        votes: [
          { ...vote, status },
          { ...vote, feature: 'other', status },
        ],
      }
      for (let index = 0; index < count; index++) telemetry.emitted('measurements', measurement)
    },
    async value(name: string): Promise<number> {
      const line = (await telemetry.metricsText()).split('\n').find((each) => each.startsWith(`${name}{`))
      return line === undefined ? 0 : Number(line.split(' ').at(-1))
    },
  }
}

describe('openings beside their budget', () => {
  it('are counted once for an entity, and not again within quiet close and cooldown', async () => {
    const { turn, value } = world()
    turn({ minutes: 10, from: 'stable', to: 'drift' })
    turn({ minutes: 15, from: 'stable', to: 'drift', feature: 'other' })
    turn({ minutes: 20, from: 'drift', to: 'stable' })
    turn({ minutes: 25, from: 'drift', to: 'warning', feature: 'other' })
    turn({ minutes: 60, from: 'warning', to: 'drift' })
    turn({ minutes: 65, from: 'drift', to: 'stable' })
    expect(await value('sentinel_vote_openings_total')).toBe(1)
    turn({ minutes: 101, from: 'stable', to: 'drift' })
    turn({ minutes: 101, from: 'stable', to: 'drift', entity: 'service:b' })
    expect(await value('sentinel_vote_openings_total')).toBe(3)
  })

  it('allow so many as falseAlarms says for the evaluations that could judge', async () => {
    const { evaluate, value } = world('2 per week')
    evaluate(1_008)
    evaluate(100, 'insufficient')
    expect(await value('sentinel_vote_budget_openings_total')).toBeCloseTo(1)
    const without = world()
    without.evaluate(100)
    expect(await without.value('sentinel_vote_budget_openings_total')).toBe(0)
  })

  it('are told of where they are more than chance explains', () => {
    const { turn, evaluate, lines } = world('1 per week')
    evaluate(2_016)
    for (let day = 0; day < 3; day++)
      turn({ minutes: day * 1_440, from: 'stable', to: 'drift', entity: `service:${day}` })
    expect(lines.filter(({ code }) => code === 'BUDGET_EXCEEDED')).toEqual([])
    turn({ minutes: 9_999, from: 'stable', to: 'drift', entity: 'service:9' })
    const [told] = lines.filter(({ code }) => code === 'BUDGET_EXCEEDED')
    expect(told!.message).toContain('4 openings since the start, where its falseAlarms allow 1.0')
  })
})
