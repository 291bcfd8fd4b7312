/** What the default votes come to without a calibration: openings on quiet traffic, at each sensitivity. */
import { setImmediate } from 'node:timers/promises'
import { type DetectConfig, defaultVotes, detectConfig, type Sensitivity } from '../../stream/contract/configuration.ts'
import type { EntityKind } from '../../stream/contract/pane.ts'
import { type CalibrationRules, type EntityScores, SCORING_THRESHOLD, weeksOf } from '../../stream/detect/calibrate.ts'
import { openingsOf, ScoreRecorder, type ScoreSeries, within } from '../../stream/detect/openings.ts'
import { compilePlan } from '../../stream/detect/plan.ts'
import { ruleDigest, sensitivityFactors } from '../../stream/detect/threshold.ts'
import { runEntity } from '../../test/detect/entity-run.ts'
import { dayMs, model, services } from '../../test/detect/traffic.ts'
import { type Pass, rulesOf } from './proof.ts'

/** Openings of one entity in a week of quiet traffic; `perWeek` by kind of series where there are several. */
export interface DefaultRate {
  readonly kind: EntityKind
  readonly vote: string
  readonly ruleDigest: string
  readonly traffic: string
  readonly entityWeeks: number
  readonly openings: Readonly<Record<Sensitivity, number>>
}

const defaults: DetectConfig = detectConfig.parse({})
const sensitivities = Object.entries(sensitivityFactors) as [Sensitivity, number][]

/** The threshold of a default vote at medium sensitivity, over a feature of its type. */
function mediumThreshold(kind: EntityKind, vote: string): number {
  const plan = compilePlan(defaults)
  for (const [feature, type] of [
    ['error', 'rate'],
    ['http_5xx', 'rate'],
    ['duration_ms', 'numeric'],
    ['volume', 'volume'],
    ['x', 'numeric'],
    ['x', 'categorical'],
  ] as const) {
    const found = plan.featurePlan(kind, feature, type).rules.find(({ rule }) => rule.vote === vote)
    if (found !== undefined) return found.rule.threshold
  }
  throw new RangeError(`there is no default vote ${vote} of ${kind}`)
}

function countsAt(
  of: { kind: EntityKind; vote: string; traffic: string },
  entities: readonly EntityScores[],
  rules: CalibrationRules,
): DefaultRate {
  const medium = mediumThreshold(of.kind, of.vote)
  const counted = sensitivities.map(([name, factor]) => {
    const threshold = medium * factor
    return [name, entities.reduce((sum, { features }) => sum + openingsOf(features, threshold, rules).length, 0)]
  })
  const rule = defaults.votes[of.kind].find(({ vote }) => vote === of.vote)!
  return {
    ...of,
    ruleDigest: ruleDigest(rule, defaults),
    entityWeeks: entities.reduce((sum, each) => sum + weeksOf(each, rules), 0),
    openings: Object.fromEntries(counted) as DefaultRate['openings'],
  }
}

/** The default vote of metrics, of a pass that was scored anyhow. */
export function metricRate(kind: string, pass: Pass): DefaultRate {
  return countsAt({ kind: 'metric', vote: 'value', traffic: kind }, pass.scores.value, rulesOf('value'))
}

/** Services and a model with the traffic of the demo: a daily cycle of volume, one row in two seconds. */
export async function trafficRates(options: { days: number; seeds: number }): Promise<DefaultRate[]> {
  const scoring = (kind: EntityKind) => defaultVotes[kind].map((rule) => ({ ...rule, threshold: SCORING_THRESHOLD }))
  const config = { votes: { service: scoring('service'), model: scoring('model') } }
  const byVote = new Map<string, { kind: EntityKind; vote: string; entities: EntityScores[] }>()
  for (let seed = 0; seed < options.seeds; seed++) {
    for (const entity of [services[seed % services.length]!, model]) {
      const run = { entity, seed: 9_000 + seed, startMs: 0, endMs: (1 + options.days) * dayMs, amplitude: 0.4 }
      const { measurements } = runEntity(run, config)
      const scored = new Map<string, Map<string, ScoreRecorder>>()
      for (const { evaluationMs: timeMs, votes } of measurements) {
        for (const { vote, feature, latestScore, latestMs } of votes) {
          const features = scored.get(vote) ?? new Map<string, ScoreRecorder>()
          scored.set(vote, features)
          const recorder = features.get(feature) ?? new ScoreRecorder()
          features.set(feature, recorder)
          recorder.add({ timeMs, score: latestScore ?? null, newMs: latestMs })
        }
      }
      const kind = entity === model ? 'model' : 'service'
      for (const [vote, features] of scored) {
        const of = byVote.get(`${kind}/${vote}`) ?? { kind, vote, entities: [] }
        byVote.set(`${kind}/${vote}`, of)
        of.entities.push({ entity: `${entity}/${seed}`, features: [...features.values()].map(judgedDays) })
      }
      await setImmediate()
    }
  }
  return [...byVote.values()].map(({ kind, vote, entities }) => {
    return countsAt({ kind, vote, traffic: 'as the demo has it' }, entities, rulesOfDefault(kind, vote))
  })
}

/** A day teaches the references. */
function judgedDays(recorder: ScoreRecorder): ScoreSeries {
  return within(recorder.series(), { fromMs: dayMs, toMs: Number.POSITIVE_INFINITY })
}

function rulesOfDefault(kind: EntityKind, vote: string): CalibrationRules {
  const { sustain } = defaults.votes[kind].find((rule) => rule.vote === vote)!
  const spacing = 'duration' in sustain ? sustain.duration : defaults.window / 2
  const count = 'duration' in sustain ? 2 : sustain.evaluations
  return { ...rulesOf('level'), sustain: { count, spacingMs: spacing, gapMsMax: defaults.window } }
}
