import { describe, expect, it } from 'vitest'
import { detectors } from '../../stream/detect/detectors/registry.ts'
import { type ExplainOptions, explain } from '../../stream/explain/explanation.ts'
import { detectorWords } from '../../stream/explain/verdict-words.ts'
import { minuteMs, noonMs } from '../io/records.ts'
import { abstained, courseOf, evidence, numeric, verdict, vote } from './evidence.ts'

const said = (of: Parameters<typeof explain>[0], options: Partial<ExplainOptions> = {}): string =>
  explain(of, { width: 96, ...options })!
    .map(({ text }) => text)
    .join('\n')

const drifted = vote({
  status: 'drift',
  score: 11.5,
  groups: [
    { group: 'two-sample', status: 'drift', score: 40.2 },
    { group: 'sequential', status: 'stable', score: 0 },
    { group: 'anomaly', status: 'drift', score: 12.3 },
  ],
  onsetMs: noonMs - 50 * minuteMs,
  sustain: { agreed: 2, needed: 2, spacingMs: 30 * minuteMs },
  discount: 0.3,
})

const confirmed = evidence({
  features: [
    numeric({
      verdicts: [
        verdict('kolmogorov-smirnov', {
          ...{ status: 'drift', score: 40.5, statistic: 0.41, effect: 0.41, pValue: 3.2e-41, oraclePValue: 6.1e-160 },
        }),
        verdict('psi', { score: 5.2, effect: 0.09, floor: 0.25, pValue: 6.3e-6, oraclePValue: 6.3e-6 }),
        verdict('page-hinkley', { ...{ status: 'drift', score: 8.1, statistic: 37.3, effect: 1.2, sampleCount: 900 } }),
        verdict('student-t', {
          ...{ status: 'drift', score: 12.6, statistic: 12.4, effect: 12.1, threshold: 6, pValue: 2.5e-13 },
        }),
      ],
    }),
  ],
  votes: [drifted],
  course: courseOf('page-hinkley', [0.2, 0.1, 0.4, 2.2, 5.1, 8.1]),
})

describe('an explanation', () => {
  it('of a drift that is confirmed says who agreed, since when, and what was compared', () => {
    expect(said(confirmed)).toMatchInlineSnapshot(`
      "model:churn@3: drift
      Evaluated at 2026-03-01 12:00:00 UTC over the window 11:00:00 to 12:00:00 (1 h): 4,800 rows.
      Source predictions, tenant default.
      Measurement f84755c19822aa09f6799264abdd324a.

      age: drift
        Vote "drift" is at drift: 2 of 3 groups that can judge reach its threshold of 3, and 2 are
        needed. They did at 2 of the 2 evaluations that it takes, at least 30 min apart: confirmed.
        Its score is 11.5: the second largest of its groups' scores, the least of the evaluations that
        confirm it (two-sample 40.2, anomaly 12.3, sequential 0). Each was lowered by 0.3, because the
        vote is held over many features at once. It began at 11:10:00. Its course: 11:35:00 stable,
        11:55:00 warning.
        Reference 35af4de8: learned of 276 quiet slides from 2026-02-28 12:00:00 to 2026-03-01
        11:00:00; 1,000 sampled rows, worth 751 independent ones. Its values: mean 40, standard
        deviation 2, each following the one before (autocorrelation 0.5).
        Window: 2,000 sampled rows, worth 640 independent ones, of 4,800 rows of 12 slides.
                        reference                           window
          below 20     10.0 % █████▊                       0.50 % ▎
          20 to 40     40.0 % ███████████████████████▏      9.5 % █████▌
          40 to 60     40.0 % ███████████████████████▏     45.0 % ██████████████████████████
          60 or more   10.0 % █████▊                       45.0 % ██████████████████████████
        two-sample: window against reference
          kolmogorov-smirnov says drift: the distributions lie 0.41 apart (D, of 1 at most). Score
            40.5, where 3 is drift by itself; p 3.2e-41, and 6.1e-160 by the published test without
            corrections.
          psi says stable: the stability index is 0.09. Score 5.2, where 3 is drift by itself; p
            6.3e-6. Its effect is below the floor of 0.25: it votes 0, whatever its score.
        sequential: value after value
          page-hinkley says drift: a shift of 1.2 standard deviations of the reference; its statistic
            stands at 37.3. Score 8.1, where 3 is drift by itself.
            Score since 11:35:00: ▁▁▁▃▅█ 0.2, 0.1, 0.4, 2.2, 5.1, 8.1.
        anomaly: last values against the past
          Baseline: 120 values, mean 40.1, standard deviation 1.5.
          Last slide: 400 rows, mean 58.2, standard deviation 14.9, median 58, p95 82.
          student-t says drift: 12.1 standard deviations above the baseline's mean (t 12.4). Score
            12.6, where 6 is drift by itself; p 2.5e-13."
    `)
  })

  it('of a verdict held by its floor says the floor, and that it votes nothing', () => {
    const held = evidence({
      features: [
        numeric({ verdicts: [verdict('wasserstein', { score: 14, effect: 0.11, statistic: 1.7, floor: 0.25 })] }),
      ],
      votes: [vote({ quorum: 1, groups: [{ group: 'two-sample', status: 'stable', score: 0 }], score: 0 })],
    })
    expect(said(held)).toMatchInlineSnapshot(`
      "model:churn@3: stable
      Evaluated at 2026-03-01 12:00:00 UTC over the window 11:00:00 to 12:00:00 (1 h): 4,800 rows.
      Source predictions, tenant default.
      Measurement f84755c19822aa09f6799264abdd324a.

      age: stable
        Vote "drift" is stable: of 1 group that can judge none is near its threshold of 3, and 1 is
        needed. Its score is 0: the largest of its groups' scores (two-sample 0).
        Reference 35af4de8: learned of 276 quiet slides from 2026-02-28 12:00:00 to 2026-03-01
        11:00:00; 1,000 sampled rows, worth 751 independent ones. Its values: mean 40, standard
        deviation 2, each following the one before (autocorrelation 0.5).
        Window: 2,000 sampled rows, worth 640 independent ones, of 4,800 rows of 12 slides.
                        reference                           window
          below 20     10.0 % █████▊                       0.50 % ▎
          20 to 40     40.0 % ███████████████████████▏      9.5 % █████▌
          40 to 60     40.0 % ███████████████████████▏     45.0 % ██████████████████████████
          60 or more   10.0 % █████▊                       45.0 % ██████████████████████████
        two-sample: window against reference
          wasserstein says stable: values moved by 1.7 on the average, 0.11 standard deviations of the
            reference. Score 14, where 3 is drift by itself. Its effect is below the floor of 0.25: it
            votes 0, whatever its score."
    `)
  })

  it('of abstentions says why each did, whole or in short', () => {
    const verdicts = [
      abstained('kolmogorov-smirnov', 'no-reference'),
      abstained('psi', 'too-few-rows', 41),
      abstained('adwin', 'warming-up', 3),
      abstained('student-t', 'baseline-too-short'),
    ]
    const groups = (['two-sample', 'sequential', 'anomaly'] as const).map((group) => {
      return { group, status: 'insufficient' as const, score: 0 }
    })
    const { sample: _sample, bins: _bins, baseline: _baseline, ...bare } = numeric({ reference: null, verdicts })
    const of = (count: number) => {
      const names = ['age', 'b', 'c', 'd'].slice(0, count)
      return evidence({
        features: names.map((feature) => ({ ...bare, feature })),
        votes: names.map((feature) => vote({ feature, status: 'insufficient', score: 0, groups })),
      })
    }
    expect(said(of(1))).toMatchInlineSnapshot(`
      "model:churn@3: insufficient
      Evaluated at 2026-03-01 12:00:00 UTC over the window 11:00:00 to 12:00:00 (1 h): 4,800 rows.
      Source predictions, tenant default.
      Measurement f84755c19822aa09f6799264abdd324a.

      age: insufficient
        Vote "drift" cannot judge: 0 of 3 groups can, and 2 are needed. Groups: two-sample abstains,
        sequential abstains, anomaly abstains.
        two-sample: window against reference
          kolmogorov-smirnov abstained: there was no reference yet to compare with.
          psi abstained: there were too few rows to judge by (41).
        sequential: value after value
          adwin abstained: it has not seen enough values yet (3).
        anomaly: last values against the past
          Last slide: 400 rows, mean 58.2, standard deviation 14.9, median 58, p95 82.
          student-t abstained: the rolling baseline was too short."
    `)
    expect(said(of(4))).toMatchInlineSnapshot(`
      "model:churn@3: insufficient
      Evaluated at 2026-03-01 12:00:00 UTC over the window 11:00:00 to 12:00:00 (1 h): 4,800 rows.
      Source predictions, tenant default.
      Measurement f84755c19822aa09f6799264abdd324a.

      age: Vote "drift" cannot judge: 0 of 3 groups can, and 2 are needed. kolmogorov-smirnov
        abstained: there was no reference yet to compare with. psi abstained: there were too few rows
        to judge by. adwin abstained: it has not seen enough values yet. student-t abstained: the
        rolling baseline was too short.
      b: Vote "drift" cannot judge: 0 of 3 groups can, and 2 are needed. kolmogorov-smirnov abstained:
        there was no reference yet to compare with. psi abstained: there were too few rows to judge
        by. adwin abstained: it has not seen enough values yet. student-t abstained: the rolling
        baseline was too short.
      c: Vote "drift" cannot judge: 0 of 3 groups can, and 2 are needed. kolmogorov-smirnov abstained:
        there was no reference yet to compare with. psi abstained: there were too few rows to judge
        by. adwin abstained: it has not seen enough values yet. student-t abstained: the rolling
        baseline was too short.
      d: Vote "drift" cannot judge: 0 of 3 groups can, and 2 are needed. kolmogorov-smirnov abstained:
        there was no reference yet to compare with. psi abstained: there were too few rows to judge
        by. adwin abstained: it has not seen enough values yet. student-t abstained: the rolling
        baseline was too short."
    `)
  })

  it('of a rate says hits and trials against the baseline with its interval', () => {
    const rate = evidence({
      features: [
        {
          feature: 'error',
          latest: { kind: 'rate', hits: 18, trials: 200 },
          window: { kind: 'rate', hits: 60, trials: 2_400 },
          reference: null,
          baseline: { kind: 'rate', hits: 100, trials: 10_000, overDispersion: 0.002 },
          verdicts: [
            verdict('rate', {
              ...{ status: 'drift', score: 6.7, statistic: 0.09, effect: 0.08, threshold: 6, sampleCount: 200 },
              ...{ pValue: 2.2e-7, oraclePValue: 3.3e-12 },
            }),
          ],
        },
      ],
      votes: [
        vote({
          ...{ vote: 'errors', feature: 'error', problem: 'errors', status: 'warning', score: 6.7, threshold: 6 },
          ...{ quorum: 1, groups: [{ group: 'anomaly', status: 'drift', score: 6.7 }] },
          sustain: { agreed: 1, needed: 2, spacingMs: 5 * minuteMs },
        }),
      ],
    })
    expect(said(rate)).toMatchInlineSnapshot(`
      "model:churn@3: warning
      Evaluated at 2026-03-01 12:00:00 UTC over the window 11:00:00 to 12:00:00 (1 h): 4,800 rows.
      Source predictions, tenant default.
      Measurement f84755c19822aa09f6799264abdd324a.

      error: warning
        Vote "errors" is at warning: 1 of 1 group that can judge reaches its threshold of 6, and 1 is
        needed. So far they did at 1 of the 2 evaluations that it takes, at least 5 min apart: not
        confirmed yet. Its score is 6.7: the largest of its groups' scores (anomaly 6.7).
        anomaly: last values against the past
          Baseline: 100 of 10,000 (1.0 %, 95 % interval 0.82 % to 1.2 %); trials of one value resemble
          each other by 0.002.
          Last slide: 18 of 200 (9.0 %).
          rate says drift: 18 of 200 (9.0 %) is 8.0 percentage points above the baseline's rate. Score
            6.7, where 6 is drift by itself; p 2.2e-7, and 3.3e-12 by the published test without
            corrections."
    `)
  })

  it('of a category shows the shares side by side, and what the reference never held', () => {
    const categorical = evidence({
      features: [
        {
          feature: 'plan',
          latest: { kind: 'categorical', count: 0, nulls: 0, top: [], other: 0 },
          window: {
            kind: 'categorical',
            count: 1_000,
            nulls: 0,
            top: [
              ['b', 600],
              ['new', 200],
              ['a', 200],
            ],
            other: 0,
          },
          reference: confirmed.measurement.features[0]!.reference,
          sample: { rows: 1_000, effectiveRows: 1_000, slides: 12 },
          bins: [200, 600, 200],
          verdicts: [verdict('psi-categorical', { status: 'drift', score: 200, statistic: 0.9, effect: 0.9 })],
        },
      ],
      votes: [vote({ vote: 'category drift', feature: 'plan', status: 'drift', quorum: 1, score: 200 })],
      reference: [
        {
          ...{ feature: 'plan', kind: 'categorical', slides: 288, rows: 2_000, effectiveRows: 2_000 },
          bins: { kind: 'categorical', categories: ['a', 'b'], counts: [1_400, 590, 10] },
        },
      ],
    })
    expect(said(categorical)).toMatchInlineSnapshot(`
      "model:churn@3: drift
      Evaluated at 2026-03-01 12:00:00 UTC over the window 11:00:00 to 12:00:00 (1 h): 4,800 rows.
      Source predictions, tenant default.
      Measurement f84755c19822aa09f6799264abdd324a.

      plan: drift
        Vote "category drift" is at drift: 0 of 3 groups that can judge reach its threshold of 3, and
        1 is needed; 0 are near it. Its score is 200: the largest of its groups' scores (anomaly 0.6,
        two-sample 0.4, sequential 0.2).
        Reference 35af4de8: learned of 288 quiet slides from 2026-02-28 12:00:00 to 2026-03-01
        11:00:00; 2,000 sampled rows, all independent.
        Window: 1,000 sampled rows, all independent, of 1,000 rows of 12 slides.
                        reference                           window
          a            70.0 % ██████████████████████████   20.0 % ███████▍
          b            29.5 % ███████████                  60.0 % ██████████████████████▎
          all others   0.50 % ▏                            20.0 % ███████▍
        Not among the reference's: new 20.0 % of all rows of the window.
        two-sample: window against reference
          psi-categorical says drift: the stability index is 0.9. Score 200, where 3 is drift by
            itself."
    `)
  })

  it('of an alarm that is held says of when it is, and until when it stands', () => {
    const held = evidence({
      features: [
        numeric({
          verdicts: [verdict('cusum', { status: 'drift', score: 5, statistic: 9, heldFromMs: noonMs - 10 * minuteMs })],
        }),
      ],
      votes: [
        vote({ groups: [{ group: 'sequential', status: 'drift', score: 5 }], quorum: 1, status: 'warning', score: 5 }),
      ],
      reference: null,
      course: courseOf('cusum', [0, 1, 5, 5, 5]),
    })
    expect(said(held)).toMatchInlineSnapshot(`
      "model:churn@3: warning
      Evaluated at 2026-03-01 12:00:00 UTC over the window 11:00:00 to 12:00:00 (1 h): 4,800 rows.
      Source predictions, tenant default.
      Measurement f84755c19822aa09f6799264abdd324a.

      age: warning
        Vote "drift" is at warning: 1 of 1 group that can judge reaches its threshold of 3, and 1 is
        needed; 0 are near it. Its score is 5: the largest of its groups' scores (sequential 5). Its
        course: 11:40:00 stable, 11:50:00 warning.
        Reference 35af4de8: its record is not stored. It was learned before such records were kept, or
        it is past its retention.
        Window: 2,000 sampled rows, worth 640 independent ones, of 4,800 rows of 12 slides.
        sequential: value after value
          cusum says drift: a shift of 0.03 standard deviations of the reference; its statistic stands
            at 9. Score 5, where 3 is drift by itself. It is of 11:50:00, and held until 12:05:00, so
            that others can agree.
            Score since 11:40:00: ▁▂███ 0, 1, 5, 5, 5."
    `)
  })

  it('of a reference without its hours, learned anew, and of a window of more slides than its time has, says so', () => {
    const fromMs = noonMs - 240 * minuteMs
    const seasonal = evidence({
      features: [
        numeric({ verdicts: [verdict('psi')], sample: { rows: 300, effectiveRows: 300, slides: 35.6, fromMs } }),
      ],
      votes: [vote()],
      reference: [
        {
          ...{
            feature: 'age',
            kind: 'numeric',
            slides: 90,
            rows: 1_000,
            effectiveRows: 900,
            fromMs: noonMs - 600 * minuteMs,
          },
          season: { timeZone: 'Europe/Berlin', units: 3 },
        },
      ],
    })
    const text = said(seasonal).replaceAll(/\s+/g, ' ')
    expect(text).toContain('learned of 90 quiet slides from 2026-03-01 02:00:00 to 11:00:00')
    expect(text).toContain(
      'The level of each hour (known of 3 repetitions, Europe/Berlin) is taken off, from the window',
    )
    expect(text).toContain(
      'Window: 300 sampled rows, all independent, of 36 slides from 2026-03-01 08:00:00 on, because',
    )
  })

  it('keeps to the width it is given, and to one feature where it is asked for one', () => {
    for (const width of [40, 60, 80, 200]) {
      for (const { text } of explain(confirmed, { width })!) expect([...text].length).toBeLessThanOrEqual(width)
    }
    const two = evidence({
      features: [numeric({ verdicts: [verdict('psi')] }), numeric({ feature: 'other', verdicts: [verdict('psi')] })],
      votes: [vote(), vote({ feature: 'other' })],
    })
    expect(said(two, { feature: 'other' })).not.toContain('age:')
    expect(explain(two, { width: 80, feature: 'nothing' })).toBeNull()
  })

  it('has words for every detector, under the group that it votes with', () => {
    for (const [name, { group }] of Object.entries(detectors)) expect(detectorWords[name]?.group, name).toBe(group)
  })
})
