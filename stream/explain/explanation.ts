/**
 * Why the verdicts of a measurement fell as they did, in words and numbers: a pure function of what is stored. Nothing is
 * tested again, nothing is filled in; what is not stored is said to be missing.
 */
import type { ExplanationResponse } from '../contract/api.ts'
import type { FeatureMeasurement, Vote } from '../contract/finding.ts'
import { statusRank, type Verdict, type VerdictStatus } from '../contract/verdict.ts'
import { sideBySide, wrapped } from './bars.ts'
import {
  barRows,
  baselineWords,
  type NamedReference,
  referenceOf,
  referenceWords,
  statisticCourse,
  unseenWords,
  windowWords,
} from './comparison.ts'
import { counted, span, time } from './figures.ts'
import { detectorWords, type Group, reasonWords, verdictWords } from './verdict-words.ts'
import { voteCourse, voteOutcome, voteWords } from './vote-words.ts'

/** A line, and what it is: a status or a heading may be drawn in another way. */
export interface Line {
  readonly text: string
  readonly tone?: 'heading' | VerdictStatus
}

export interface ExplainOptions {
  /** Characters in a line (count, 40 at least). */
  readonly width: number
  /** Only this feature, whole. */
  readonly feature?: string
  /** Every feature whole; else those whose vote stands at warning or drift, or all where no vote does and they are few. */
  readonly all?: boolean
}

const WIDTH_MIN = 40
const WIDTH_MAX = 110
/** Features that are shown whole though nothing stands out (count). */
const FEW = 3

/** @returns null where the measurement has no feature of the name asked for */
export function explain(evidence: ExplanationResponse, options: ExplainOptions): Line[] | null {
  const { measurement } = evidence
  const width = Math.max(WIDTH_MIN, Math.min(WIDTH_MAX, options.width))
  const asked = measurement.features.filter(({ feature }) => feature === (options.feature ?? feature))
  if (asked.length === 0 && options.feature !== undefined) return null
  const named = asked.map((feature) => ({ feature, votes: votesOver(feature, measurement.votes) }))
  const loud = named.filter(({ votes }) => votes.some(isLoud))
  const isWhole = options.all === true || options.feature !== undefined || (loud.length === 0 && named.length <= FEW)
  const whole = isWhole ? named : loud
  const rest = named.filter((each) => !whole.includes(each))
  const inOrder = [...whole].sort((a, b) => worst(b.votes) - worst(a.votes))
  return [
    ...header(evidence, width),
    ...inOrder.flatMap(({ feature, votes }) => section(feature, votes, { evidence, width })),
    ...quiet(rest, width),
  ]
}

const isLoud = ({ status }: Vote): boolean => statusRank[status] >= statusRank.warning
const worst = (votes: readonly Vote[]): number => Math.max(-1, ...votes.map(({ status }) => statusRank[status]))

/** Votes are held over features by name; whole rows and volume have names of their own. */
function votesOver({ feature, verdicts }: FeatureMeasurement, votes: readonly Vote[]): Vote[] {
  return verdicts.length === 0 ? [] : votes.filter((vote) => vote.feature === feature)
}

function header({ measurement }: ExplanationResponse, width: number): Line[] {
  const { id, tenant, entity, source, evaluationMs, windowStartMs, part, votes } = measurement
  const status = votes.reduce<VerdictStatus>(
    (most, vote) => (statusRank[vote.status] > statusRank[most] ? vote.status : most),
    'insufficient',
  )
  const range = `${time(windowStartMs, evaluationMs)} to ${time(evaluationMs, windowStartMs)}`
  const window = `${range} (${span(evaluationMs - windowStartMs)})`
  const tone = votes.length === 0 ? 'heading' : status
  const lines = [
    `Evaluated at ${time(evaluationMs)} UTC over the window ${window}: ${counted(measurement.count, 'row')}. Source ${source}, tenant ${tenant}.`,
    `Measurement ${id}${part === undefined ? '.' : `, part ${part.index + 1} of ${part.count} of its evaluation: other features stand in the others.`}`,
  ]
  return [
    ...toned(`${entity}: ${votes.length === 0 ? 'no vote is held' : status}`, width, tone),
    ...lines.flatMap((text) => plain(text, width, 0)),
  ]
}

interface Context {
  readonly evidence: ExplanationResponse
  readonly width: number
}

function section(feature: FeatureMeasurement, votes: readonly Vote[], { evidence, width }: Context): Line[] {
  const { measurement, references, course } = evidence
  const { evaluationMs } = measurement
  const loudest = [...votes].sort((a, b) => statusRank[b.status] - statusRank[a.status])[0]
  const title = loudest === undefined ? 'no vote is held over it' : loudest.status
  const said = votes.map((vote) => [voteWords(vote, evaluationMs), ...voteCourse(vote, course)].join(' '))
  const reference = referenceOf(feature, references)
  return [
    { text: '' },
    ...toned(`${feature.feature}: ${title}`, width, loudest?.status ?? 'heading'),
    ...said.flatMap((text) => plain(text, width, 2)),
    ...comparedWindow(feature, reference, { evidence, width }),
    ...groupsOf(feature.verdicts).flatMap(([group, verdicts]) => [
      { text: `  ${groupTitles[group]}`, tone: 'heading' as const },
      ...(group === 'anomaly' ? baselineWords(feature).flatMap((text) => plain(text, width, 4)) : []),
      ...verdicts.flatMap((verdict) => verdictLines(feature, verdict, { evidence, width })),
    ]),
  ]
}

const groupTitles: Readonly<Record<Group, string>> = {
  'two-sample': 'two-sample: window against reference',
  sequential: 'sequential: value after value',
  anomaly: 'anomaly: last values against the past',
}

function groupsOf(verdicts: readonly Verdict[]): [Group, Verdict[]][] {
  const groups: Group[] = ['two-sample', 'sequential', 'anomaly']
  return groups.flatMap((group): [Group, Verdict[]][] => {
    const members = verdicts.filter(({ detector }) => (detectorWords[detector]?.group ?? 'anomaly') === group)
    return members.length === 0 ? [] : [[group, members]]
  })
}

function comparedWindow(
  feature: FeatureMeasurement,
  reference: NamedReference | null,
  { evidence, width }: Context,
): Line[] {
  if (reference === null) return []
  const { evaluationMs } = evidence.measurement
  const bars = sideBySide(barRows(feature, reference), width - 4)
  return [
    ...plain(referenceWords(reference, evaluationMs), width, 2),
    ...windowWords(feature).flatMap((text) => plain(text, width, 2)),
    ...bars.map((text) => ({ text: `    ${text}` })),
    ...unseenWords(feature, reference).flatMap((text) => plain(text, width, 2)),
  ]
}

function verdictLines(feature: FeatureMeasurement, verdict: Verdict, { evidence, width }: Context): Line[] {
  const { measurement, course } = evidence
  const { evaluationMs, windowStartMs } = measurement
  const words = verdictWords(verdict, { evaluationMs, holdMs: (evaluationMs - windowStartMs) / 4 })
  const isRunning = detectorWords[verdict.detector]?.group === 'sequential' || verdict.detector === 'range-novelty'
  const { detector, threshold } = verdict
  const came = isRunning ? statisticCourse({ feature: feature.feature, detector, threshold }, course) : []
  return [words, ...came].flatMap((text, index) =>
    wrapped(text, { width, indent: index === 0 ? 4 : 6, hanging: 6 }).map((line) => ({ text: line })),
  )
}

/** What does not stand out: how its votes fell, and why those who abstained did. */
function brief({ feature, verdicts }: FeatureMeasurement, votes: readonly Vote[], width: number): Line[] {
  const outcomes = votes.length === 0 ? ['no vote is held over it.'] : votes.map(voteOutcome)
  const abstained = new Map<string, string[]>()
  for (const { detector, status, because } of verdicts) {
    if (status !== 'insufficient') continue
    const reason = reasonWords(because)
    abstained.set(reason, [...(abstained.get(reason) ?? []), detector])
  }
  const why = [...abstained].map(([reason, who]) => `${who.join(', ')} abstained: ${reason}.`)
  const text = `${feature}: ${[...outcomes, ...why].join(' ')}`
  return wrapped(text, { width, indent: 0, hanging: 2 }).map((line) => ({ text: line }))
}

function quiet(rest: readonly { feature: FeatureMeasurement; votes: readonly Vote[] }[], width: number): Line[] {
  if (rest.length === 0) return []
  return [{ text: '' }, ...rest.flatMap(({ feature, votes }) => brief(feature, votes, width))]
}

function toned(text: string, width: number, tone: NonNullable<Line['tone']>): Line[] {
  return wrapped(text, { width, indent: 0, hanging: 2 }).map((line) => ({ text: line, tone }))
}

function plain(text: string, width: number, indent: number): Line[] {
  return wrapped(text, { width, indent }).map((line) => ({ text: line }))
}
