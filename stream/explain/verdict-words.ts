/** One verdict in words and numbers. */
import type { AbstentionReason, Verdict } from '../contract/verdict.ts'
import { figure, percent, points, rows, time } from './figures.ts'

export type Group = 'two-sample' | 'sequential' | 'anomaly'

interface DetectorWords {
  readonly group: Group
  /** What the numbers of a verdict say. */
  readonly says: (verdict: Verdict) => string
}

const deviations = (effect: number, of: string): string =>
  `${figure(Math.abs(effect))} standard deviations ${effect < 0 ? 'below' : 'above'} ${of}`

const shift = ({ effect, statistic }: Verdict): string =>
  `a shift of ${figure(effect)} standard deviations of the reference; its statistic stands at ${figure(statistic)}`

const distance = ({ effect }: Verdict): string => `the distance is ${figure(effect)}, of 1 at most`
const stabilityIndex = ({ effect }: Verdict): string => `the stability index is ${figure(effect)}`

/** By name: one line for each detector, as in the registry. */
export const detectorWords: Readonly<Record<string, DetectorWords>> = {
  'kolmogorov-smirnov': {
    group: 'two-sample',
    says: ({ effect }) => `the distributions lie ${figure(effect)} apart (D, of 1 at most)`,
  },
  psi: { group: 'two-sample', says: stabilityIndex },
  'psi-categorical': { group: 'two-sample', says: stabilityIndex },
  wasserstein: {
    group: 'two-sample',
    says: ({ effect, statistic }) =>
      `values moved by ${figure(statistic)} on the average, ${figure(effect)} standard deviations of the reference`,
  },
  'jensen-shannon': { group: 'two-sample', says: distance },
  'jensen-shannon-categorical': { group: 'two-sample', says: distance },
  'chi-square': {
    group: 'two-sample',
    says: ({ effect, statistic }) => `Cramér's V is ${figure(effect)}, of 1 at most (chi-square ${figure(statistic)})`,
  },
  energy: {
    group: 'two-sample',
    says: ({ effect }) => `the energy distance of whole rows is ${figure(effect)}, of 1 at most`,
  },
  'isolation-forest': {
    group: 'two-sample',
    says: ({ effect }) => `how strange whole rows are lies ${figure(effect)} from the reference's (D, of 1 at most)`,
  },
  adwin: { group: 'sequential', says: shift },
  'page-hinkley': { group: 'sequential', says: shift },
  kswin: {
    group: 'sequential',
    says: ({ effect }) => `its last values lie ${figure(effect)} from those before`,
  },
  cusum: { group: 'sequential', says: shift },
  ddm: { group: 'sequential', says: ({ effect }) => `the rate of errors is ${points(effect)} above its least` },
  'hddm-a': {
    group: 'sequential',
    says: ({ effect }) => `the rate of errors ${effect < 0 ? 'fell' : 'rose'} by ${points(effect)}`,
  },
  'student-t': {
    group: 'anomaly',
    says: ({ effect, statistic }) => `${deviations(effect, "the baseline's mean")} (t ${figure(statistic)})`,
  },
  'robust-z': {
    group: 'anomaly',
    says: ({ effect }) => `${deviations(effect, "the baseline's median")}, by median deviations`,
  },
  quantile: {
    group: 'anomaly',
    says: ({ effect, statistic }) => `the quantile moved by ${figure(effect)} octaves (t ${figure(statistic)})`,
  },
  rate: {
    group: 'anomaly',
    says: ({ statistic, sampleCount, effect }) =>
      `${figure(Math.round(statistic * sampleCount))} of ${figure(sampleCount)} (${percent(statistic)}) is ` +
      `${points(effect)} ${effect < 0 ? 'below' : 'above'} the baseline's rate`,
  },
  seasonal: {
    group: 'anomaly',
    says: ({ effect }) => deviations(effect, 'what is usual at that hour of the week'),
  },
  'range-novelty': {
    group: 'anomaly',
    says: ({ statistic }) => `it is ${figure(statistic)} outside the ranges that its summaries have had`,
  },
}

const reasons: Readonly<Record<AbstentionReason, string>> = {
  'no-reference': 'there was no reference yet to compare with',
  'reference-too-small': 'the reference is worth too few independent rows',
  'too-few-rows': 'there were too few rows to judge by',
  'baseline-too-short': 'the rolling baseline was too short',
  'warming-up': 'it has not seen enough values yet',
  'no-values': 'no value was complete lately',
  'not-asked': 'its test is costly, and nothing else of the entity stood out',
  'too-sparse': 'rows come too seldom for their number to say anything',
}

/**
 * @param at.evaluationMs of the measurement
 * @param at.holdMs how long an alarm of a running statistic votes
 * @returns one paragraph
 */
export function verdictWords(verdict: Verdict, at: { evaluationMs: number; holdMs: number }): string {
  const { detector, status, because, sampleCount } = verdict
  if (status === 'insufficient') {
    const seen = sampleCount > 0 ? ` (${rows(sampleCount)})` : ''
    return `${detector} abstained: ${reasonWords(because)}${seen}.`
  }
  const words = detectorWords[detector]
  const says = words === undefined ? `effect ${figure(verdict.effect)}` : words.says(verdict)
  return [`${detector} says ${status}: ${says}.`, scoreWords(verdict), ...restraints(verdict, words, at)].join(' ')
}

export function reasonWords(because: AbstentionReason | undefined): string {
  return because === undefined ? 'it had too little to judge by' : reasons[because]
}

function scoreWords({ score, threshold, pValue, oraclePValue }: Verdict): string {
  const own = `Score ${figure(score)}, where ${figure(threshold)} is drift by itself`
  if (pValue === undefined) return `${own}.`
  const p = `p ${pText(pValue)}`
  const plain = oraclePValue === undefined || pText(oraclePValue) === pText(pValue)
  return plain ? `${own}; ${p}.` : `${own}; ${p}, and ${pText(oraclePValue)} by the published test without corrections.`
}

const pText = (value: number): string => (value === 0 ? 'below 1e-300' : figure(value))

function restraints(
  { floor, held, heldFromMs }: Verdict,
  words: DetectorWords | undefined,
  at: { evaluationMs: number; holdMs: number },
): string[] {
  const said: string[] = []
  if (floor !== undefined)
    said.push(`Its effect is below the floor of ${figure(floor)}: it votes 0, whatever its score.`)
  if (held === true) said.push('The volume lies between half and twice the usual one: it votes 0, whatever its score.')
  if (heldFromMs !== undefined) {
    const until = time(heldFromMs + at.holdMs, at.evaluationMs)
    const since = time(heldFromMs, at.evaluationMs)
    said.push(
      words?.group === 'sequential'
        ? `It is of ${since}, and held until ${until}, so that others can agree.`
        : `It is of ${since}, the last value there was, and stands until ${until}.`,
    )
  }
  return said
}
