/** Which step of which runbook comes next for an incident. Pure. */
import type { Runbook } from '../contract/configuration.ts'
import { bareName } from './entity.ts'
import type { Case } from './state.ts'

export type Choice =
  | { readonly runbook: Runbook; readonly step: number; readonly cause: string }
  | { readonly nothing: string }

/**
 * The first runbook, in the order of the configuration, that matches the suspected cause: one of its problems, and its
 * name. Of it the step after the last one that was tried on this cause; one that nobody answered comes again.
 */
export function choose(known: Case, runbooks: readonly Runbook[]): Choice {
  const cause = known.incident.cause.entity
  const problems = known.incident.entities.filter(({ entity }) => entity === cause).map(({ problem }) => problem)
  const runbook = runbooks.find(({ match }) => {
    return (
      match.problems.some((problem) => problems.includes(problem)) && match.entities.some((glob) => names(glob, cause))
    )
  })
  if (runbook === undefined) return { nothing: `no runbook matches ${bareName(cause)}: ${problems.join(', ')}` }
  const tried = known.incident.remediations.filter(({ proposal }) => {
    const memory = known.steps[proposal.commandId]!
    return (
      proposal.purpose === 'remedy' && proposal.runbook === runbook.name && memory.cause === cause && !memory.withdrawn
    )
  })
  const last = tried.at(-1)
  const step = last === undefined ? 0 : last.state === 'expired' ? last.proposal.step : last.proposal.step + 1
  if (step >= runbook.steps.length) return { nothing: `runbook ${runbook.name} has no further step` }
  return { runbook, step, cause }
}

function names(glob: string, entity: string): boolean {
  return matchesGlob(glob, entity) || matchesGlob(glob, bareName(entity))
}

/** `*` stands for any run of characters, also none; all else for itself. O(glob × text) at worst. */
export function matchesGlob(glob: string, text: string): boolean {
  const pieces = glob.split('*')
  const first = pieces[0]!
  if (pieces.length === 1) return text === glob
  const last = pieces.at(-1)!
  if (!text.startsWith(first) || !text.endsWith(last) || text.length < first.length + last.length) return false
  let at = first.length
  const end = text.length - last.length
  for (const piece of pieces.slice(1, -1)) {
    const found = text.indexOf(piece, at)
    if (found < 0 || found + piece.length > end) return false
    at = found + piece.length
  }
  return true
}

/** `{cause}` becomes the entity's name. */
export function targetOf(target: string, cause: string): string {
  return target.replaceAll('{cause}', cause).slice(0, 256)
}
