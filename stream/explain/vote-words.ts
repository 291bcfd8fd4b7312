/** Why a vote fell as it did, in words and numbers. */
import type { CourseEntry } from '../contract/api.ts'
import type { Vote } from '../contract/finding.ts'
import { counted, figure, span, time } from './figures.ts'

/** The sentences of one vote. */
export function voteWords(vote: Vote, evaluationMs: number): string {
  return [
    voteOutcome(vote),
    groupScores(vote),
    ...discounted(vote),
    ...began(vote, evaluationMs),
    ...settled(vote),
  ].join(' ')
}

/** What a vote came to, in one sentence or two. */
export function voteOutcome(vote: Vote): string {
  const { groups, quorum, status, sustain, threshold } = vote
  const judging = groups.filter((group) => group.status !== 'insufficient').length
  const agreeing = groups.filter((group) => group.status === 'drift').length
  const warning = groups.filter((group) => group.status === 'warning').length
  const needed = `${quorum} ${quorum === 1 ? 'is' : 'are'} needed`
  const isOne = agreeing === 1
  const reach = isOne ? 'reaches' : 'reach'
  const say = isOne ? 'says' : 'say'
  const bar = threshold === undefined ? `${say} drift` : `${reach} its threshold of ${figure(threshold)}`
  const name = `Vote "${vote.vote}"`
  switch (status) {
    case 'insufficient':
      return `${name} cannot judge: ${judging} of ${counted(groups.length, 'group')} can, and ${needed}.`
    case 'stable':
      return agreeing + warning === 0
        ? `${name} is stable: of ${counted(judging, 'group')} that can judge none is near its threshold${threshold === undefined ? '' : ` of ${figure(threshold)}`}, and ${needed}.`
        : `${name} is stable: ${agreeing} of ${counted(judging, 'group')} that can judge ${bar}, ${warning} are near it, and ${needed}.`
    case 'warning':
    case 'drift': {
      const groupsSay = `${agreeing} of ${counted(judging, 'group')} that can judge ${bar}, and ${needed}`
      return sustain === undefined
        ? `${name} is at ${status}: ${groupsSay}; ${warning} are near it.`
        : `${name} is at ${status}: ${groupsSay}. ${sustained(status, sustain)}`
    }
  }
}

function sustained(status: Vote['status'], { agreed, needed, spacingMs }: NonNullable<Vote['sustain']>): string {
  if (needed === 1) return 'One evaluation is enough.'
  const taken = `at ${agreed} of the ${needed} evaluations that it takes, at least ${span(spacingMs)} apart`
  return status === 'drift' ? `They did ${taken}: confirmed.` : `So far they did ${taken}: not confirmed yet.`
}

function groupScores({ groups, score, quorum, status, sustain }: Vote): string {
  const list = [...groups]
    .sort((a, b) => b.score - a.score)
    .map(({ group, score: own, status: says }) => `${group} ${says === 'insufficient' ? 'abstains' : figure(own)}`)
    .join(', ')
  if (status === 'insufficient') return `Groups: ${list}.`
  const which = ['the largest', 'the second largest', 'the third largest'][quorum - 1] ?? `number ${quorum}`
  const least = status === 'drift' && (sustain?.needed ?? 1) > 1 ? ', the least of the evaluations that confirm it' : ''
  return `Its score is ${figure(score)}: ${which} of its groups' scores${least} (${list}).`
}

function discounted({ discount }: Vote): string[] {
  if (discount === undefined) return []
  return [`Each was lowered by ${figure(discount)}, because the vote is held over many features at once.`]
}

function began({ onsetMs }: Vote, evaluationMs: number): string[] {
  return onsetMs === undefined ? [] : [`It began at ${time(onsetMs, evaluationMs)}.`]
}

function settled({ settled: isSettled }: Vote): string[] {
  return isSettled === true
    ? ['Its level has been the same for a whole window: it may be the usual one from now on.']
    : []
}

/** How the vote stood at the evaluations before, in changes; empty where it never changed. */
export function voteCourse(vote: Pick<Vote, 'vote' | 'feature'>, course: readonly CourseEntry[]): string[] {
  const changes: string[] = []
  let before: string | undefined
  for (const { evaluationMs, votes } of course) {
    const entry = votes.find((each) => each.vote === vote.vote && each.feature === vote.feature)
    if (entry === undefined || entry.status === before) continue
    before = entry.status
    changes.push(`${time(evaluationMs, course.at(-1)!.evaluationMs)} ${entry.status}`)
  }
  return changes.length > 1 ? [`Its course: ${changes.join(', ')}.`] : []
}
