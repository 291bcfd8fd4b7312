import { describe, expect, it } from 'vitest'
import type { Vote } from '../../stream/contract/finding.ts'
import type { VerdictStatus } from '../../stream/contract/verdict.ts'
import type { DetectorGroup } from '../../stream/detect/detectors/detector.ts'
import type { HeldRule } from '../../stream/detect/plan.ts'
import { holdVote, initialVote, isHeld, type StandingVerdict, worseOf } from '../../stream/detect/vote.ts'

const rule: HeldRule = {
  ...{ vote: 'drift', problem: 'drift', features: 'every numeric', detectors: [] },
  ...{ quorum: 2, sustain: { count: 2, spacingMs: 30, gapMsMax: 60 } },
  ...{ threshold: 6, warningThreshold: 4, quietBelow: 4, givenThreshold: null, sensitivity: 'medium' },
}
const scores = { insufficient: 0, stable: 1, warning: 4, drift: 7 }

const verdict = (
  group: DetectorGroup,
  status: VerdictStatus,
  options: { score?: number; onsetMs?: number; judgedMs?: number; detector?: string } = {},
): StandingVerdict => ({
  group,
  onsetMs: options.onsetMs ?? null,
  judgedMs: options.judgedMs ?? Number.NaN, // course() fills in the present evaluation
  verdict: {
    ...{ detector: options.detector ?? group, status, score: options.score ?? scores[status] },
    ...{ statistic: 0, effect: 0, threshold: 0, sampleCount: 1 },
  },
})
const three = (a: VerdictStatus, b: VerdictStatus, c: VerdictStatus): StandingVerdict[] => [
  verdict('two-sample', a),
  verdict('sequential', b),
  verdict('anomaly', c),
]
const agree = three('drift', 'drift', 'stable')
const abstain = three('insufficient', 'insufficient', 'drift')
const disagree = three('drift', 'stable', 'stable')

function course(evaluations: readonly (readonly StandingVerdict[])[], of: HeldRule = rule, everyMs = 10): Vote[] {
  const state = initialVote()
  return evaluations.map((named, index) => {
    const evaluationMs = (index + 1) * everyMs
    const verdicts = named.map((each) => (Number.isNaN(each.judgedMs) ? { ...each, judgedMs: evaluationMs } : each))
    return holdVote(state, of, { feature: 'x', evaluationMs, verdicts })
  })
}
const statuses = (votes: readonly Vote[]): VerdictStatus[] => votes.map(({ status }) => status)

describe('holdVote', () => {
  it('gives each group one voice: its worst verdict', () => {
    const [vote] = course([
      [
        verdict('two-sample', 'drift', { detector: 'psi' }),
        verdict('two-sample', 'drift', { detector: 'ks', score: 9 }),
        verdict('anomaly', 'stable'),
      ],
    ])
    expect(vote).toMatchObject({ status: 'stable', score: 1 })
    expect(vote!.groups).toEqual([
      { group: 'two-sample', status: 'drift', score: 9 },
      { group: 'anomaly', status: 'stable', score: 1 },
    ])
  })

  it('confirms drift at evaluations that lie half a window apart, and warns until then', () => {
    expect(statuses(course([agree, agree, agree, agree, agree]))).toEqual([
      'warning',
      'warning',
      'warning',
      'drift',
      'drift',
    ])
  })

  it('begins anew after one evaluation that disagrees, and leaves drift at once', () => {
    expect(statuses(course([agree, agree, agree, disagree, agree, agree, agree, agree, disagree]))).toEqual([
      ...['warning', 'warning', 'warning', 'stable'],
      ...['warning', 'warning', 'warning', 'drift', 'stable'],
    ])
  })

  it('abstains below the quorum; an abstention neither adds to a run nor breaks it', () => {
    expect(statuses(course([agree, abstain, abstain, agree]))).toEqual([
      'warning',
      'insufficient',
      'insufficient',
      'drift',
    ])
    expect(statuses(course([agree, abstain, abstain, abstain]))).toEqual([
      'warning',
      ...abstain.map(() => 'insufficient'),
    ])
  })

  it('ends a run when nothing could judge for longer than its gap, and dates the next one anew', () => {
    const gap = (evaluations: number) => Array.from({ length: evaluations }, () => abstain)
    expect(course([agree, ...gap(5), agree]).at(-1)).toMatchObject({ status: 'drift', onsetMs: 10 })
    expect(course([agree, ...gap(6), agree]).at(-1)).toMatchObject({ status: 'warning', onsetMs: 80 })
    const warned = three('warning', 'warning', 'stable')
    expect(course([warned, ...gap(6), warned]).at(-1)).toMatchObject({ status: 'warning', onsetMs: 80 })
  })

  it('does not let one value sustain itself: while it only stands it neither adds to a run nor breaks it', () => {
    const lone = { ...rule, quorum: 1 }
    const oneValue = (judgedMs: number) => [verdict('anomaly', 'drift', { judgedMs })]
    const standing = [oneValue(10), oneValue(10), oneValue(10), oneValue(10), oneValue(10)]
    expect(statuses(course(standing, lone))).toEqual(standing.map(() => 'warning'))
    expect(statuses(course([...standing, oneValue(60)], lone)).at(-1)).toBe('drift')
    // Two values that lie closer together than it takes do not count more for standing on.
    expect(statuses(course([oneValue(10), oneValue(20), oneValue(20), oneValue(20)], lone)).at(-1)).toBe('warning')
    // Of two groups both need something new.
    const pair = (judgedMs: number) => [verdict('two-sample', 'drift'), ...oneValue(judgedMs)]
    expect(statuses(course([pair(10), pair(10), pair(10), pair(10)])).at(-1)).toBe('warning')
  })

  it('warns when a quorum is at warning or worse', () => {
    expect(statuses(course([three('warning', 'drift', 'stable')]))).toEqual(['warning'])
  })

  it('scores the quorum-th largest of its groups; confirmed, the least over the evaluations that confirm it', () => {
    const scored = (a: number, b: number): StandingVerdict[] => [
      verdict('two-sample', 'drift', { score: a }),
      verdict('anomaly', 'drift', { score: b }),
    ]
    const votes = course([scored(9, 8), scored(9, 6), scored(9, 7), scored(20, 12), scored(20, 11)])
    expect(votes.map(({ score }) => score)).toEqual([8, 6, 7, 6, 6])
    // Once the second half window has begun a third, the least is taken over the last two.
    const longer = course([scored(9, 6), ...Array.from({ length: 6 }, () => scored(20, 12))])
    expect(longer.at(-1)!.score).toBe(12)
  })

  it('goes by scores against its own threshold, whatever the detectors say by themselves', () => {
    const scored = [verdict('two-sample', 'stable', { score: 5 }), verdict('anomaly', 'warning', { score: 5.5 })]
    const lower = { ...rule, threshold: 5, warningThreshold: 3 }
    expect(statuses(course([scored, scored, scored, scored], lower)).at(-1)).toBe('drift')
    expect(statuses(course([scored, scored, scored, scored]))).toEqual(Array(4).fill('warning'))
    const [vote] = course([scored], lower)
    expect(vote!.groups.map(({ status }) => status)).toEqual(['drift', 'drift'])
    expect(vote).toMatchObject({ score: 5, threshold: 5, latestScore: 5 })
  })

  it('does not hear what an effect below its floor has to say, however high the score', () => {
    const held = { ...verdict('two-sample', 'stable', { score: 99 }), isHeld: true }
    const [vote] = course([[held, verdict('anomaly', 'drift')]])
    expect(vote).toMatchObject({ status: 'stable', score: 0 })
    // of a group it is not the voice while another member has something to say
    const [other] = course([[held, verdict('two-sample', 'drift', { detector: 'psi' }), verdict('anomaly', 'drift')]])
    expect(other).toMatchObject({ status: 'warning', score: 7 })
    expect(worseOf(held, verdict('two-sample', 'stable', { score: 0.1 })).verdict.score).toBe(0.1)
    expect(isHeld({ ...held.verdict, effect: -0.2 }, { effectFloor: 0.1 })).toBe(false)
    expect(isHeld({ ...held.verdict, effect: -0.05 }, { effectFloor: 0.1 })).toBe(true)
    expect(isHeld({ ...held.verdict, effect: 5, held: true }, { effectFloor: 0.1 })).toBe(true)
  })

  it('takes off every score what many votes at once are worth', () => {
    const at = { feature: 'x', evaluationMs: 10, verdicts: three('drift', 'drift', 'drift') }
    const verdicts = at.verdicts.map((each) => ({ ...each, judgedMs: 10 }))
    const vote = holdVote(initialVote(), rule, { ...at, verdicts, discount: 1.5 })
    expect(vote).toMatchObject({ status: 'warning', score: 5.5, latestScore: 5.5 })
    expect(vote.groups.map(({ status, score }) => [status, score])).toEqual(Array(3).fill(['warning', 5.5]))
  })

  it('tells since when its score has only stood', () => {
    const lone = { ...rule, quorum: 1 }
    const old = [verdict('anomaly', 'drift', { judgedMs: 10 })]
    expect(course([old, old], lone).map(({ latestMs }) => latestMs)).toEqual([undefined, 10])
  })

  it('takes a duration as unbroken agreement for so long', () => {
    const lone = { ...rule, quorum: 1, sustain: { count: 2, spacingMs: 10, gapMsMax: 60 } }
    const [drift, stable] = [[verdict('anomaly', 'drift')], [verdict('anomaly', 'stable')]]
    expect(statuses(course([drift, stable, drift, drift], lone))).toEqual(['warning', 'stable', 'warning', 'drift'])
    expect(statuses(course([drift], { ...lone, sustain: { count: 1, spacingMs: 0, gapMsMax: 60 } }))).toEqual(['drift'])
  })

  it('dates a drift by the least onset of the groups that said so, through the whole run, and not by earlier warnings', () => {
    const lone = { ...rule, quorum: 1, sustain: { count: 2, spacingMs: 10, gapMsMax: 60 } }
    const votes = course(
      [
        [verdict('anomaly', 'warning', { onsetMs: 3 })],
        [verdict('anomaly', 'drift', { onsetMs: 14 }), verdict('sequential', 'drift', { onsetMs: 12 })],
        [verdict('anomaly', 'drift', { onsetMs: 25 })],
        [verdict('anomaly', 'stable')],
      ],
      lone,
    )
    expect(votes.map(({ onsetMs }) => onsetMs)).toEqual([3, 12, 12, undefined])
  })
})
