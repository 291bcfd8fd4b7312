/** What `run.ts` prints of single detectors: seasons, rates, levels, cycles, small windows, floors, running statistics. */
import { cycleShares } from './daily-cycle.ts'
import { levelShares } from './dependent-levels.ts'
import { floorShares } from './effect-floors.ts'
import { rateShares, rateTraffics } from './rates.ts'
import { quietAlarms, stepsFound } from './running-statistics.ts'
import { seasonalShares, seasonalTraffics } from './seasonal.ts'
import { smallWindows } from './small-windows.ts'

export interface Table {
  readonly title: string
  readonly columns: readonly string[]
  rows(): Iterable<readonly (string | number)[]>
}

/** Of which a bench prints at most so many digits: what is below them is chance. */
const share = (value: number): string => (Number.isNaN(value) ? '' : value.toFixed(4))
const small = (value: number): string => value.toFixed(5)

const JUDGED_WEEKS = [1, 2, 3, 5, 8, 12]
const CYCLES = [
  [0, 0],
  [0.25, 0.1],
  [1, 0.1],
  [3, 0.1],
] as const

/** @param of.runs a tenth of them are the series, and the baselines, of each kind; forty times as many the levels; a fifth the hours */
export function detectorTables(of: { runs: number; seed: number }): Table[] {
  const { runs, seed } = of
  const tenth = Math.ceil(runs / 10)
  return [
    {
      title: `Hours of the week: quiet values with p < .001, ${tenth} series of each kind`,
      columns: [
        'series',
        'weeks before',
        'values as unit',
        'one variance for all hours',
        'ours',
        'one variance, loudest hours',
        'ours, loudest hours',
        'found: 8 sd higher',
      ],
      *rows() {
        for (const traffic of seasonalTraffics) {
          for (const each of seasonalShares({ traffic, weeks: JUDGED_WEEKS, runs: tenth, seed })) {
            const { week, naive, pooled, ours, pooledWorst, oursWorst, found } = each
            const shares = [naive, pooled, ours, pooledWorst, oursWorst].map(share)
            yield [traffic.name, week, ...shares, found.toFixed(2)]
          }
        }
      },
    },
    {
      title: `Rates: quiet values with a score of 4 or more (p 1e-4), ${tenth} baselines of each kind`,
      columns: [
        'trials of the baseline',
        'rate',
        'trials of the value',
        'rate taken as known',
        'as the baseline shows it',
      ],
      *rows() {
        for (const traffic of rateTraffics) {
          const { known, posterior } = rateShares({ traffic, runs: tenth, seed })
          yield [traffic.baselineTrials, traffic.rate, traffic.trials, small(known), small(posterior)]
        }
      },
    },
    {
      title: `Levels of slides: quiet ones with p < .001, ${40 * runs} of each kind`,
      columns: ['AR(1)', 'detector', 'taken for independent', 'at their worth', 'found: 10 sd higher'],
      *rows() {
        for (const autocorrelation of [0, 0.5, 0.8, 0.9, 0.95]) {
          for (const each of levelShares({ autocorrelation, runs: 40 * runs, seed })) {
            const { detector, independent, autocorrelated, found } = each
            yield [autocorrelation, detector, small(independent), small(autocorrelated), found.toFixed(2)]
          }
        }
      },
    },
    {
      title: `A daily cycle: Kolmogorov-Smirnov of an hour, p < .05, ${5 * Math.ceil(runs / 25)} hours of each kind`,
      columns: ['amplitude, sd', "hours' own sd", 'reference', 'quiet', 'half an sd higher', 'effective rows'],
      *rows() {
        for (const [amplitude, hourSd] of CYCLES) {
          const traffic = { amplitude, hourSd }
          for (const { way, quiet, shifted, effective } of cycleShares({ traffic, runs: Math.ceil(runs / 25), seed })) {
            yield [amplitude, hourSd, way, quiet.toFixed(2), shifted.toFixed(2), Math.round(effective)]
          }
        }
      },
    },
    {
      title: `Windows of few rows: ${runs} of each kind against references of 2,000`,
      columns: ['test', 'rows', 'abstains', 'quiet: p < .05', 'quiet: warning or worse', 'half an sd higher: found'],
      *rows() {
        for (const { test, rows, ...of } of smallWindows({ rows: [20, 40, 100, 200, 400], runs, seed })) {
          yield [test, rows, ...[of.abstains, of.below, of.loud, of.found].map((each) => each.toFixed(3))]
        }
      },
    },
    {
      title: `Least effects for drift, passed by ${runs} windows of 100 rows of the reference's own law (2,000 rows)`,
      columns: ['detector', 'floor', 'plain distance', 'effect'],
      *rows() {
        for (const { what, floor, plain, effect } of floorShares({ runs, seed })) {
          yield [what, floor, plain.toFixed(3), effect.toFixed(3)]
        }
      },
    },
    {
      title: 'Running statistics: alarms on independent N(0, 1) values, and outcomes at rates .001 to .5',
      columns: ['detector', 'options', 'alarms', 'values'],
      *rows() {
        for (const { detector, options, alarms, values } of quietAlarms({ streams: 20, seed })) {
          yield [detector, options, alarms, values]
        }
      },
    },
    {
      title: 'Running statistics: a step after 150 values, 200 streams, our defaults',
      columns: ['detector', 'step, sd', 'found within 1,000', 'values later'],
      *rows() {
        for (const { detector, shift, found, delay } of stepsFound({ streams: 200, seed })) {
          yield [detector, shift, found.toFixed(2), delay.toFixed(0)]
        }
      },
    },
  ]
}
