/**
 * What decides results, as the stages see it: durations in ms, every default filled in. `config.ts` reads files and the
 * environment and gives these; `configurationDigest` covers exactly what is here.
 */
import { z } from 'zod'
import { calibration, falseAlarmRate } from './calibration.ts'
import { problem } from './finding.ts'
import { digestOf } from './id.ts'
import type { entityKind } from './pane.ts'
import { name } from './primitives.ts'

const units: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
}

/** A duration as people write it (`30s`, `5m`, `1h`, `500ms`, `2d`) or milliseconds; becomes whole milliseconds. */
export const duration = z
  .union([
    z.int().min(0),
    z.string().regex(/^\d+(\.\d+)?(ms|s|m|h|d|w)$/, 'a duration is a number and ms, s, m, h, d or w'),
  ])
  .transform((value) => {
    if (typeof value === 'number') return value
    const [, amount, unit] = /^([\d.]+)([a-z]+)$/.exec(value)!
    return Math.round(Number(amount) * units[unit!]!)
  })

export const sourceFormat = z.enum([
  'auto',
  'ecs',
  'fluent-bit',
  'json-log',
  'label',
  'metric',
  'otlp-logs',
  'otlp-metrics',
  'prediction',
  'syslog',
  'text',
  'vector',
  'workflow-run',
])
export type SourceFormat = z.infer<typeof sourceFormat>

export const sourceConfig = z
  .strictObject({
    name: name.describe('Logical name: part of every id, so renaming a source makes new records'),
    topic: z.string().min(1).optional().describe('Topic on the broker; the name where absent'),
    format: sourceFormat.describe('How its records are decoded; auto: each by its content (see docs/formats.md)'),
    tenant: name.default('default'),
    pane: duration.default(10_000).describe('Length of a pane of event time'),
    lateness: duration.default(30_000).describe('How far behind the highest event time an event may come'),
    idleAfter: duration.default(30_000).describe('Silence (wall clock) after which a partition is declared idle'),
    partitioning: z
      .enum(['any', 'keyed'])
      .default('any')
      .describe('keyed: all records of an entity are in one partition'),
    maxSkew: duration
      .default(3_600_000)
      .describe('How far a partition may be ahead of the slowest one that is not idle, before it waits (event time)'),
    maxEntities: z
      .int()
      .min(1)
      .max(100_000)
      .default(10_000)
      .describe(
        'Entities in one pane of one partition; those that come later on the log are folded into (other), and a finding says so',
      ),
    maxCells: z
      .int()
      .min(1)
      .max(100_000_000)
      .default(100_000)
      .describe(
        'Cells in the open panes of one partition: each entity and each feature of one (more for one of over 32 categories). Every open pane of time has an equal share of them, see decision 12; what would take more is folded into (other), and a finding says so',
      ),
    skewAgreement: z.int().min(1).max(16).default(8).describe('Events ahead of the clock that must agree to move it'),
    maxAhead: duration
      .default(86_400_000)
      .describe(
        "How far an event may be ahead of its record's own Kafka timestamp; one that is further is rejected as skewed, however many agree",
      ),
  })
  .transform((source) => ({ ...source, topic: source.topic ?? source.name }))
export type SourceConfig = z.output<typeof sourceConfig>

/** Settings of the one number that a vote is tuned by: what they make of its threshold stands in detect/threshold.ts. */
export const sensitivity = z.enum(['low', 'medium', 'high'])
export type Sensitivity = z.infer<typeof sensitivity>

export const voteRule = z.strictObject({
  vote: name,
  problem,
  features: z
    .union([z.enum(['every numeric', 'every categorical']), z.array(name).min(1)])
    .describe('Which features it is held over: one vote for each'),
  detectors: z.array(z.string()).min(1),
  quorum: z.int().min(1).max(3).default(2).describe('Groups of detectors that must agree'),
  sustain: z
    .union([z.strictObject({ evaluations: z.int().min(1).max(12) }), z.strictObject({ duration })])
    .default({ evaluations: 2 })
    .describe(
      'evaluations: so many, half a window apart; duration: unbroken for so long. A window (or the duration, if longer) in which nothing can judge breaks it',
    ),
  sensitivity: sensitivity
    .optional()
    .describe(
      'Instead of detect.sensitivity, for this vote. Of sensitivity, falseAlarms and threshold one may be given',
    ),
  falseAlarms: falseAlarmRate
    .optional()
    .describe('Openings of an entity that are no incident, such as `1 per week`; needs detect.calibration'),
  threshold: z
    .number()
    .min(0.1)
    .max(300)
    .optional()
    .describe('Score from which the vote is drift, -log10 of a p; it is warning from two thirds of it'),
})
export type VoteRule = z.output<typeof voteRule>

const driftRule = (features: 'every numeric' | 'every categorical'): z.input<typeof voteRule> =>
  features === 'every numeric'
    ? {
        vote: 'drift',
        problem: 'drift',
        features,
        detectors: ['kolmogorov-smirnov', 'psi', 'adwin', 'page-hinkley', 'student-t'],
        quorum: 2,
      }
    : { vote: 'category drift', problem: 'drift', features, detectors: ['psi-categorical'], quorum: 1 }

/** The derived features of a service: `error`, `http_5xx` (rates), `duration_ms` (numeric), `volume` (rows in a pane). */
export const defaultVotes: Readonly<Record<z.infer<typeof entityKind>, z.input<typeof voteRule>[]>> = {
  service: [
    {
      vote: 'errors',
      problem: 'errors',
      features: ['error'],
      detectors: ['rate'],
      quorum: 1,
      sustain: { duration: '5m' },
    },
    {
      vote: '5xx',
      problem: 'errors',
      features: ['http_5xx'],
      detectors: ['rate'],
      quorum: 1,
      sustain: { duration: '5m' },
    },
    {
      vote: 'latency',
      problem: 'latency',
      features: ['duration_ms'],
      detectors: ['student-t'],
      quorum: 1,
      sustain: { duration: '5m' },
    },
    {
      vote: 'volume',
      problem: 'volume',
      features: ['volume'],
      detectors: ['student-t'],
      quorum: 1,
      sustain: { duration: '5m' },
    },
  ],
  model: [driftRule('every numeric'), driftRule('every categorical')],
  metric: [
    {
      vote: 'value',
      problem: 'anomaly',
      features: 'every numeric',
      detectors: ['student-t', 'page-hinkley'],
      quorum: 2,
      sustain: { duration: '5m' },
    },
  ],
  text: [
    {
      vote: 'errors',
      problem: 'errors',
      features: ['error'],
      detectors: ['rate'],
      quorum: 1,
      sustain: { duration: '5m' },
    },
    {
      vote: 'volume',
      problem: 'volume',
      features: ['volume'],
      detectors: ['student-t'],
      quorum: 1,
      sustain: { duration: '10m' },
    },
  ],
}

export const detectConfig = z.strictObject({
  window: duration.default(3_600_000).describe('Length of a window; a multiple of the slide'),
  slide: duration.default(300_000).describe('Distance of evaluations; a multiple of every pane'),
  referencePeriod: duration.default(86_400_000).describe('Event time that a learned reference spans at least'),
  referenceWindows: z.int().min(1).default(10).describe('Windows of rows that a learned reference holds at least'),
  referenceRows: z.int().min(100).max(20_000).default(2_000).describe('Sampled rows that a reference keeps'),
  windowRows: z.int().min(100).max(20_000).default(1_000).describe('Sampled rows that a window is judged by'),
  windowMinRows: z
    .int()
    .min(0)
    .max(20_000)
    .default(0)
    .describe(
      'Windows by count: where an hour (`window`) holds fewer sampled rows, tests against a reference take whole slides before it, until so many rows or `windowLongest`; 0: by time alone',
    ),
  windowLongest: duration
    .default(86_400_000)
    .describe('How far back such a window goes at most, a multiple of the slide: so many slides of an entity are kept'),
  referenceSeason: z
    .enum(['none', 'day', 'week'])
    .default('none')
    .describe(
      'Taken off numbers before a window is compared with a learned reference: the level of the hour of the day (referencePeriod of 3d at least) or of the week (2w)',
    ),
  referenceTimeZone: z.string().max(64).default('UTC').describe('IANA name: whose hours referenceSeason takes'),
  baseline: duration.default(10_800_000).describe('Event time of the rolling baseline of anomaly detectors'),
  minPaneRows: z
    .int()
    .min(1)
    .default(30)
    .describe('Rows that a judged value holds at least; panes are merged until then'),
  maxEntities: z
    .int()
    .min(1)
    .max(1_000_000)
    .default(20_000)
    .describe(
      'Entities of a tenant that are followed, in each of its sources (keyed: in each partition); every task of detect takes an equal share. Further ones are not judged, and a finding says so',
    ),
  maxEntitiesByTenant: z
    .record(name, z.int().min(1).max(1_000_000))
    .default({})
    .describe('tenant: its own maxEntities'),
  forgetAfter: duration.default(86_400_000).describe('An entity without events for so long is forgotten'),
  detectors: z
    .record(z.string(), z.record(z.string(), z.unknown()))
    .default({})
    .describe('Options by detector; see docs'),
  sensitivity: sensitivity
    .default('medium')
    .describe('Of votes that set none of their own: high finds more and alarms more often, see docs/budget.md'),
  multiplicity: z
    .enum(['benjamini-hochberg', 'holm', 'none'])
    .default('benjamini-hochberg')
    .describe('How scores are lowered where a vote is held over many features of an entity at once'),
  calibration: calibration
    .nullable()
    .default(null)
    .describe('What `sentinel calibrate` wrote: thresholds by rate of false alarms'),
  votes: z
    .strictObject({
      service: z
        .array(voteRule)
        .max(50)
        .prefault(() => structuredClone(defaultVotes.service)),
      model: z
        .array(voteRule)
        .max(50)
        .prefault(() => structuredClone(defaultVotes.model)),
      metric: z
        .array(voteRule)
        .max(50)
        .prefault(() => structuredClone(defaultVotes.metric)),
      text: z
        .array(voteRule)
        .max(50)
        .prefault(() => structuredClone(defaultVotes.text)),
    })
    .prefault({}),
})
export type DetectConfig = z.output<typeof detectConfig>

const scalar = z.union([z.string().max(1000), z.number(), z.boolean()])

/** Parameters of one action: an incident holds those of all its proposals. */
const parametersMax = 30

export const runbookAction = z.strictObject({
  action: name,
  target: z.string().min(1).default('{cause}').describe('{cause} is the entity that began it'),
  parameters: z
    .record(z.string().max(100), scalar)
    .refine((given) => Object.keys(given).length <= parametersMax, `at most ${parametersMax} parameters`)
    .default({}),
})

export const runbook = z.strictObject({
  name,
  description: z.string().max(1000).default(''),
  match: z.strictObject({
    problems: z.array(problem).min(1).describe('Problems of the suspected cause'),
    entities: z.array(z.string().min(1)).default(['*']).describe('Names of the suspected cause; * stands for anything'),
  }),
  steps: z
    .array(
      runbookAction.extend({
        verify: z
          .strictObject({
            within: duration.default(1_800_000).describe('Event time in which the signal has to recover'),
          })
          .prefault({}),
        rollback: runbookAction.optional(),
      }),
    )
    .min(1)
    .max(10),
})
export type Runbook = z.output<typeof runbook>

export const respondConfig = z.strictObject({
  correlation: duration.default(600_000).describe('Findings this close in event time are one incident'),
  maxEntities: z.int().min(1).max(50).default(50).describe('Entities attached to one incident'),
  cooldown: duration.default(1_800_000).describe('A closed fingerprint does not open anew for so long'),
  quietClose: duration.default(300_000).describe('Recovered for so long: the incident is closed'),
  escalateAfter: duration.default(3_600_000).describe('Open for so long without recovery: escalated'),
  dependsOn: z
    .record(z.string(), z.array(z.string()))
    .default({})
    .describe('entity: entities it calls, also across kinds'),
  approvals: z
    .strictObject({
      required: z.int().min(1).max(5).default(1),
      expireAfter: duration.default(900_000).describe('Wall clock after which an unanswered approval is void'),
    })
    .prefault({}),
  notAfter: duration.default(900_000).describe('Wall clock after which executors refuse a command'),
  killSwitch: z.boolean().default(false).describe('true: nothing is proposed or commanded'),
  safety: z
    .strictObject({
      commandsPerHour: z.int().min(0).default(4).describe('Commands for one target in an hour of event time'),
      attempts: z.int().min(1).max(5).default(2).describe('Remedies for one incident'),
    })
    .prefault({}),
  policy: z
    .strictObject({
      allow: z.array(name).default([]).describe('Actions that need no approval'),
      deny: z.array(name).default([]).describe('Actions that are never commanded'),
    })
    .prefault({}),
  runbooks: z.array(runbook).default([]),
})
export type RespondConfig = z.output<typeof respondConfig>

const DAY_MS = 86_400_000

export const outcomesConfig = z.strictObject({
  horizon: duration
    .default(7 * DAY_MS)
    .describe('How long (event time) a prediction waits for its label, and a label for its prediction; whole slots'),
  slot: duration
    .default(3_600_000)
    .describe(
      'Predictions are counted, and quality told, in slots of so much event time; at most 1,000 in the horizon',
    ),
  maxWaiting: z
    .int()
    .min(1)
    .max(100_000_000)
    .default(1_000_000)
    .describe(
      'Predictions and labels that are remembered, over all tasks of join, which take equal shares; beyond it the oldest leave, and are counted',
    ),
  maxSeries: z
    .int()
    .min(1)
    .max(10_000)
    .default(200)
    .describe(
      'Models, versions and segments that are counted apart; predictions of further ones are left out, and counted',
    ),
  scoreOf: z
    .record(name, name)
    .default({})
    .describe(
      'model: the class that its score is the probability of; for models that are not named, the score is that of the class predicted',
    ),
})
export type OutcomesConfig = z.output<typeof outcomesConfig>

/** Digests by stage: each covers what changes its stage's results, so a change of respond leaves the ids of panes alone. */
export interface Digests {
  /** By the source's name: part of the ids of its panes and of all that is judged from them. */
  readonly sources: ReadonlyMap<string, string>
  readonly detect: string
  readonly respond: string
  readonly join: string
}

/** What decides the panes of one source: not its topic's name on the broker, nor how patient the wall clock is or who waits for whom. */
export function sourceDigest(source: SourceConfig): string {
  const { topic: _topic, idleAfter: _idleAfter, maxSkew: _maxSkew, ...rest } = source
  return digestOf(rest).slice(0, 16)
}

export function configurationDigests(config: {
  readonly sources: readonly SourceConfig[]
  readonly detect: DetectConfig
  readonly respond: RespondConfig
  readonly outcomes?: OutcomesConfig
}): Digests {
  return {
    sources: new Map(config.sources.map((source) => [source.name, sourceDigest(source)])),
    detect: digestOf(config.detect).slice(0, 16),
    respond: digestOf(config.respond).slice(0, 16),
    join: digestOf(config.outcomes ?? outcomesConfig.parse({})).slice(0, 16),
  }
}
