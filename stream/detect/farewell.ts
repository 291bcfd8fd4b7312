/** The last finding about an entity that is not judged any more: forgotten, or quarantined. */
import type { Finding } from '../contract/finding.ts'
import { idOf } from '../contract/id.ts'
import type { Entity, EntityName } from './entity.ts'

/**
 * A finding without a measurement. Its own vote says why; every vote that stood at warning or drift becomes
 * `insufficient`, because nobody will say any more that it is stable.
 *
 * A quarantine is drift: somebody has to look. An entity that is forgotten was found dead long before: warning.
 */
export function farewell(
  problem: 'forgotten' | 'quarantine',
  of: {
    digest: string
    name: EntityName
    standing: ReturnType<Entity['standingVotes']>
    endMs: number
    note: string
  },
): Finding {
  const { source, tenant, entity, kind } = of.name
  const own: Finding['votes'][number] = {
    vote: problem,
    feature: 'volume',
    problem,
    status: problem === 'quarantine' ? 'drift' : 'warning',
    score: 0,
    quorum: 1,
    groups: [],
    onsetMs: of.endMs,
    previous: 'stable',
    changed: true,
  }
  const ended = of.standing.map((vote): Finding['votes'][number] => ({
    ...vote,
    status: 'insufficient',
    score: 0,
    groups: [],
    changed: true,
  }))
  return {
    type: 'finding',
    id: idOf('finding', of.digest, source, tenant, entity, of.endMs, problem),
    ...{ tenant, entity, kind, source },
    timeMs: of.endMs,
    measurementId: null,
    votes: [own, ...ended],
    evidence: [],
    note: of.note,
  }
}
