/** What an input does to the state, and what is said: pure, `decide(state, input) → {changes, records}`. */
import type { ConfigurationSwitch, Incarnation } from '../contract/pane.ts'
import type { Answer } from './answer.ts'
import { decideProposal } from './approval.ts'
import { type Cause, ownTenant } from './audit.ts'
import { takeResult, tick } from './command.ts'
import { span } from './diagnose.ts'
import { applyFinding, reopen } from './fingerprint.ts'
import { close, escalate, forget, hasActive } from './incident.ts'
import { declareKey, firstKeys } from './keys.ts'
import type { TakenFinding } from './order.ts'
import { plan } from './plan.ts'
import { current } from './remediation.ts'
import { remembered } from './safety.ts'
import type { State } from './state.ts'
import { cancel, type Timer } from './timers.ts'
import { type Context, type Decided, type Moment, Turn } from './turn.ts'
import { verifyDue } from './verify.ts'

/** The answers that change what is decided; a switch of configurations changes by what. */
export type DecidedAnswer = Answer & { readonly record: Exclude<Answer['record'], ConfigurationSwitch> }

export type Input =
  | { readonly kind: 'finding'; readonly finding: TakenFinding }
  | { readonly kind: 'timer'; readonly timer: Timer }
  /** `frontierMs`: where the task is; null before every detect task has spoken. */
  | { readonly kind: 'answer'; readonly answer: DecidedAnswer; readonly frontierMs: number | null }
  /** Another configuration took over at `atMs`, or where the frontier was already. */
  | {
      readonly kind: 'switched'
      readonly previousDigest: string
      readonly digest: string
      readonly atMs: number
      readonly frontierMs: number
    }
  | { readonly kind: 'keys'; readonly publicKeys: Incarnation['publicKeys'] }
  | { readonly kind: 'ignored'; readonly offset: number; readonly frontierMs: number | null; readonly reason: string }

export function decide(state: State, input: Input, context: Context): Decided {
  const turn = new Turn(context, state, momentOf(input, context.partition))
  switch (input.kind) {
    case 'finding':
      applyFinding(turn, input.finding)
      break
    case 'timer':
      fire(turn, input.timer)
      break
    case 'answer':
      applyAnswer(turn, input.answer)
      break
    case 'keys':
      turn.write('keys', firstKeys(input.publicKeys))
      break
    case 'switched': {
      const { previousDigest, digest, atMs } = input
      const about = { tenant: ownTenant(context.partition), incidentId: null }
      turn.audit('configuration-switched', about, { previousDigest, digest, atMs })
      break
    }
    case 'ignored':
      turn.audit(
        'record-ignored',
        { tenant: ownTenant(context.partition), incidentId: null },
        { offset: input.offset, reason: input.reason },
      )
  }
  return turn.finish()
}

function applyAnswer(turn: Turn, { record, appendMs }: DecidedAnswer): void {
  switch (record.type) {
    case 'decision':
      decideProposal(turn, record, appendMs)
      break
    case 'command-result':
      takeResult(turn, record)
      break
    case 'key-declaration':
      declareKey(turn, record)
      break
    case 'tick':
      tick(turn, appendMs)
      break
  }
}

function fire(turn: Turn, timer: Timer): void {
  turn.write('timers', cancel(turn.read('timers') ?? [], timer.id))
  if (timer.kind === 'reopen') {
    reopen(turn, timer.tenant, timer.subject)
    return
  }
  if (timer.kind === 'prune') {
    prune(turn, timer.tenant)
    return
  }
  const known = turn.read(`incident/${timer.subject}`)
  if (known === undefined) return
  const { id } = known.incident
  switch (timer.kind) {
    case 'plan':
      plan(turn, id)
      break
    case 'verify':
      verifyDue(turn, id)
      break
    case 'escalate':
      escalate(turn, id, `open for ${span(turn.nowMs - known.incident.openedMs)} without recovery`)
      break
    case 'quiet':
      if (!hasActive(known) && current(known) === null) close(turn, known)
      break
    case 'forget':
      forget(turn, known)
  }
}

function prune(turn: Turn, tenant: string): void {
  const issued = remembered(turn.read(`commands/${tenant}`) ?? [], turn.nowMs, turn.config)
  turn.write(`commands/${tenant}`, issued.length === 0 ? null : issued)
}

/** A finding or timer is at its own time, however far the frontier went at once; an answer is at the frontier. */
function momentOf(input: Input, partition: number): Moment {
  const at = (kind: Cause['kind'], timeMs: number | null, offset: number | null): Moment => {
    return { timeMs: timeMs ?? 0, cause: { kind, frontierMs: timeMs, partition, offset } }
  }
  switch (input.kind) {
    case 'finding':
      return at('finding', input.finding.timeMs, null)
    case 'timer':
      return at('timer', input.timer.dueMs, null)
    case 'answer': {
      const { record, offset } = input.answer
      return at(record.type === 'key-declaration' ? 'declaration' : record.type, input.frontierMs, offset)
    }
    case 'ignored':
      return at('declaration', input.frontierMs, input.offset)
    case 'switched':
      return at('declaration', input.frontierMs, null)
    case 'keys':
      return at('declaration', null, 0)
  }
}
