/** Schedules of one story: the same findings of several detect tasks, told in different interleavings. */
import fc from 'fast-check'
import { type Bench, type FindingGiven, finding, hour, lineage, minute, start, wall } from './bench.ts'

export const taskCount = 3
export const endMs = start + 400 * minute

const entities = ['service:payment', 'service:order', 'service:gateway', 'service:cart', 'model:churn@3']

/** Which task judges an entity: each has its own. */
function taskOf(given: FindingGiven): number {
  return entities.indexOf(given.entity!) % taskCount
}

const slot = 5 * minute

const episode = fc.record({
  entity: fc.constantFrom(...entities),
  problem: fc.constantFrom('latency', 'errors'),
  score: fc.integer({ min: 1, max: 9 }),
  begin: fc.integer({ min: 0, max: 40 }),
  length: fc.integer({ min: 1, max: 8 }),
  onset: fc.integer({ min: 0, max: 3 }),
  /** What is said between beginning and end, and whether the end is told. */
  between: fc.constantFrom('warning', 'insufficient', null),
  ends: fc.integer({ min: 0, max: 9 }).map((side) => side > 0),
} as const)

/** Findings of five entities over four hours: signals come and go, at few times so that many are at the same one. */
export const findings: fc.Arbitrary<FindingGiven[]> = fc
  .array(episode, { minLength: 3, maxLength: 16 })
  .map((episodes) => {
    const all = episodes.flatMap(({ entity, problem, score, begin, length, onset, between, ends }): FindingGiven[] => {
      const timeMs = start + begin * slot
      const endsMs = timeMs + length * slot
      const told: FindingGiven[] = [{ entity, problem, score, timeMs, onsetMs: timeMs - onset * slot }]
      if (between !== null) told.push({ entity, problem, status: between, timeMs: timeMs + slot })
      if (ends) told.push({ entity, problem, status: 'stable', timeMs: endsMs })
      return told
    })
    return [...new Map(all.map((one) => [`${one.entity} ${one.problem} ${one.timeMs}`, one])).values()]
  })

/** A generator of numbers in [0, 1) from a seed: mulberry32. */
export function dice(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

type Entry = { readonly body: unknown; readonly task: number }

/**
 * One log for the findings: each task's watermarks are as coarse as the dice say and never ahead of a finding not sent
 * yet; findings between two watermarks come in any order; some records come twice.
 *
 * @param fine tasks keep pace with each other, so that the frontier moves in many steps
 */
export function log(given: readonly FindingGiven[], roll: () => number, fine = false): Entry[] {
  const queues = Array.from({ length: taskCount }, (_, task) => {
    return ofTask(
      given.filter((one) => taskOf(one) === task),
      task,
      roll,
      fine,
    )
  })
  const out: Entry[] = []
  while (queues.some((queue) => queue.length > 0)) {
    const filled = queues.filter((queue) => queue.length > 0)
    const behind = filled.reduce((a, b) => (timeOf(a[0]!) <= timeOf(b[0]!) ? a : b))
    const queue = fine ? behind : filled[Math.floor(roll() * filled.length)]!
    const burst = fine ? 1 : 1 + Math.floor(roll() * 6)
    out.push(...queue.splice(0, burst))
    if (roll() < 0.2) out.push(out[Math.floor(roll() * out.length)]!)
  }
  return out
}

function timeOf({ body }: Entry): number {
  const { timeMs, watermarkMs } = body as { timeMs?: number; watermarkMs?: number }
  return timeMs ?? watermarkMs!
}

function ofTask(given: readonly FindingGiven[], task: number, roll: () => number, fine: boolean): Entry[] {
  const coarse = fine ? -1 : roll()
  const watermark = (watermarkMs: number): Entry => {
    return { task, body: { type: 'task-watermark', task, taskCount, watermarkMs } }
  }
  const out: Entry[] = []
  let unordered: Entry[] = []
  let watermarkMs = start - 60 * minute
  for (const one of given.toSorted((a, b) => a.timeMs! - b.timeMs!)) {
    if (roll() > coarse && one.timeMs! - 1 > watermarkMs) {
      out.push(...unordered)
      unordered = []
      watermarkMs += Math.floor((fine ? 1 - roll() * 0.01 : roll()) * (one.timeMs! - watermarkMs))
      out.push(watermark(watermarkMs))
    }
    unordered.splice(Math.floor(roll() * (unordered.length + 1)), 0, { task, body: finding(one) })
  }
  return [...out, ...unordered, watermark(endMs)]
}

export function give(bench: Bench, { body, task }: Entry): void {
  bench.give(body, { headers: lineage(task) })
}

export interface RecordedAnswer {
  readonly body: unknown
  readonly timestampMs: number
  readonly offset: number
  readonly frontierMs: number | null
  readonly hadEffect: boolean
}

/** A live run in which a person, an executor and the clock answer at any place of the log. */
export function live(bench: Bench, entries: readonly Entry[], roll: () => number): RecordedAnswer[] {
  const answers: RecordedAnswer[] = []
  let nowMs = wall
  const answer = (body: unknown, timestampMs = nowMs): void => {
    const { offset } = bench
    const frontierMs = bench.task.watermarkMs
    const hadEffect = bench.give(body, { timestampMs }).length > 0
    answers.push({ body, timestampMs, offset, frontierMs, hadEffect })
  }
  for (const entry of entries) {
    give(bench, entry)
    while (roll() < 0.5) {
      nowMs += Math.floor(roll() * 10 * minute)
      // the log's clock may go back a little when another broker leads, and one broker's may be plainly wrong
      const wrongMs = roll() < 0.1 ? Math.floor((roll() - 0.5) * 2 * 365 * 24 * hour) : 0
      answer({ type: 'tick' }, nowMs + wrongMs - Math.floor(roll() * 5_000))
      for (const body of somebody(bench, roll, nowMs)) answer(body)
    }
  }
  return answers
}

/** What a person and an executor may say of what is under way; some of it wrong or said before. */
function somebody(bench: Bench, roll: () => number, nowMs: number): unknown[] {
  const said: unknown[] = []
  const last = bench.incidents().at(-1)?.remediations.at(-1)
  if (last !== undefined && roll() < 0.5) {
    const decision = roll() < 0.75 ? ('approve' as const) : ('reject' as const)
    said.push(bench.decision({ decision, principal: roll() < 0.8 ? 'ann' : 'system', expiresMs: nowMs + minute }))
  }
  const command = bench.commands().at(-1)
  if (command !== undefined && roll() < 0.6) {
    const states = ['accepted', 'succeeded', 'succeeded', 'failed', 'refused'] as const
    const state = states[Math.floor(roll() * states.length)]!
    said.push({ type: 'command-result', tenant: 'shop', commandId: command.id, state, executor: 'executor' })
  }
  return said
}
