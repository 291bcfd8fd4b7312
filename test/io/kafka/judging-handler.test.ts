import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { detectConfig } from '../../../stream/contract/configuration.ts'
import { encode } from '../../../stream/contract/encoding.ts'
import type { Pane, PanesRecord } from '../../../stream/contract/pane.ts'
import type { CommitPoint, Emission, JudgingTask, LogRecord, RespondTask } from '../../../stream/contract/stage.ts'
import { createDetectTask } from '../../../stream/detect/detect.ts'
import { SentinelError } from '../../../stream/errors.ts'
import { outboxMax } from '../../../stream/io/kafka/fold.ts'
import { type CheckpointOutcome, JudgingHandler } from '../../../stream/io/kafka/judging-handler.ts'
import type { BatchContext } from '../../../stream/io/kafka/stage-consumer.ts'
import { type CheckpointStore, memoryCheckpointStore } from '../../../stream/runtime/checkpoint-store.ts'
import type { OutgoingRecord } from '../../../stream/runtime/emission.ts'
import { JudgingRunner } from '../../../stream/runtime/task-runner.ts'
import { paneOf } from '../../detect/panes.ts'

const slideMs = 300_000
const paneMs = 10_000
const task = 'detect/0'

class Context implements BatchContext {
  readonly commits: CommitPoint[] = []
  beats = 0
  isCurrent = true

  current = () => this.isCurrent
  reached = () => 0
  defer(): void {}

  async commit(point: CommitPoint): Promise<void> {
    this.commits.push(point)
  }

  async heartbeat(): Promise<void> {
    this.beats++
  }
}

/** One task's input, output and checkpoints, whoever owns it. */
class World {
  readonly checkpoints: CheckpointStore
  readonly out: OutgoingRecord[] = []
  readonly outcomes: string[] = []
  nowMs = 0
  /** Records of each send. */
  readonly sends: number[] = []

  constructor(checkpoints = memoryCheckpointStore()) {
    this.checkpoints = checkpoints
  }

  /** An owner of the task, recovered from what is stored. */
  async owner(
    makeTask = (parts: ReadonlyMap<string, Uint8Array> | null): JudgingTask =>
      createDetectTask({
        config: detectConfig.parse({ forgetAfter: '2h' }),
        digest: 'digest',
        task: 0,
        taskCount: 1,
        parts,
      }),
  ): Promise<JudgingHandler> {
    const stored = await this.checkpoints.load(task)
    const parts = stored?.parts ?? null
    const runner = new JudgingRunner(
      { writer: task, task: 0, incarnation: 'i', gaps: 'refused', partitionCount: () => 1 },
      makeTask(parts),
      { nextOffset: stored?.offset ?? 0, parts, lastOut: new Map() },
    )
    const send = async (records: readonly OutgoingRecord[]) => {
      this.out.push(...records)
      this.sends.push(records.length)
      return { sent: [...records] }
    }
    return new JudgingHandler({
      name: task,
      runner,
      configuration: { isNeeded: false } as never,
      producer: { send } as never,
      checkpoints: this.checkpoints,
      incarnation: 'i',
      storedDigest: stored?.digest ?? 'digest',
      storedOffset: stored?.offset ?? null,
      checkpointEveryMs: 0,
      checkpointEveryRecords: Number.POSITIVE_INFINITY,
      unstoredRecordsMax: Number.POSITIVE_INFINITY,
      clock: () => this.nowMs,
      readLastOut: async () => new Map(),
      readAgain: async () => {},
      onCheckpoint: ({ outcome, offset }: CheckpointOutcome) => this.outcomes.push(`${outcome} ${offset}`),
    })
  }

  /** Takes records until all are stored: what can be tried again is, by an owner that recovered. */
  async takeAll(records: readonly LogRecord[], first?: JudgingHandler): Promise<void> {
    let owner = first ?? (await this.owner())
    for (;;) {
      try {
        await owner.takeBatch(records, new Context())
        return await owner.whenQuiet(new Context())
      } catch (error) {
        if (!(error instanceof SentinelError && error.canRetry)) throw error
        owner = await this.owner()
      }
    }
  }

  async parts(): Promise<Map<string, string>> {
    const stored = await this.checkpoints.load(task)
    return new Map([...stored!.parts].map(([part, bytes]) => [part, Buffer.from(bytes).toString('base64')]))
  }

  /** What is out, each once; an id that stands there with two contents is there twice. */
  get records(): Set<string> {
    const own = this.out.filter(({ topic, value }) => topic === 'measurements' || isFinding(value))
    return new Set(own.map(({ topic, headers, value }) => `${topic} ${headers['ce_id']} ${Buffer.from(value)}`))
  }
}

const isFinding = (value: Uint8Array): boolean => JSON.parse(Buffer.from(value).toString()).type === 'finding'

/** A log of `panes`: a service of which each pane has 40 rows, and marks in it. */
function traffic() {
  const log: LogRecord[] = []
  const place = { source: 'logs', partition: 0, partitionCount: 1 }
  const add = (record: PanesRecord | Pane) =>
    log.push({
      topic: 'panes',
      partition: 0,
      offset: log.length,
      timestampMs: 0,
      key: null,
      value: encode(record),
      headers: { sentinel_lineage: 'ingest/logs/0:0:0:' },
    })
  const heartbeat = (watermarkMs: number) => add({ type: 'heartbeat', ...place, watermarkMs })
  const flow = (fromMs: number, toMs: number): number => {
    for (let startMs = fromMs; startMs < toMs; startMs += paneMs) {
      const rows = Array.from({ length: 40 }, (_, index) => ({
        hash: startMs + index,
        numeric: { duration_ms: 80 + (index % 7) },
        rates: { error: false },
      }))
      add(paneOf({ entity: 'service:a', kind: 'service', startMs, rows }))
      heartbeat(startMs + paneMs)
    }
    return log.length
  }
  add({ type: 'source-joined', ...place, startOffset: 0, paneMs, partitioning: 'any', digest: 'source' })
  return { log, flow, heartbeat }
}

const record: LogRecord = {
  topic: 'panes',
  partition: 0,
  offset: 0,
  timestampMs: 0,
  key: null,
  value: null,
  headers: {},
}

/** A task that writes down one part for each record. */
function idleTask(): JudgingTask {
  let taken = 0
  return {
    digest: 'digest',
    pendingDigest: null,
    watermarkMs: null,
    *step() {
      taken++
      yield null
    },
    endOfBatch: () => [],
    changes: () => new Map([[`part/${taken}`, Buffer.from('x')]]),
  }
}

/** A task that has to be shown the first record again after it, and makes of it so many records, a slice each. */
function recallingTask(emits: number): RespondTask {
  let isMissing = false
  return {
    ...idleTask(),
    waiting: false,
    keepsFrom: null,
    *step() {
      isMissing = true
      yield null
    },
    get recall() {
      return isMissing ? { fromOffset: 0, toOffset: 1 } : null
    },
    showAgain: () => {},
    *goOn() {
      isMissing = false
      const body = { type: 'audit' }
      for (let index = 0; index < emits; index++) {
        yield { topic: 'audit', route: 'own', key: 'k', id: `${index}`, timeMs: 0, body } satisfies Emission
        yield null
      }
    },
  }
}

describe('the owner of a task whose position is a checkpoint', () => {
  it('keeps the bound of what waits to be sent while it goes on from what it was shown again', async () => {
    const world = new World()
    await (await world.owner(() => recallingTask(5 * outboxMax))).takeBatch([record], new Context())
    expect(world.out).toHaveLength(5 * outboxMax)
    expect(Math.max(...world.sends)).toBe(outboxMax + 1)
    expect(world.outcomes).toEqual(['stored 1'])
  })

  it('stores, then commits', async () => {
    const [world, context] = [new World(), new Context()]
    const owner = await world.owner(idleTask)
    await owner.takeBatch([record], context)
    expect([world.outcomes, context.commits]).toEqual([['stored 1'], [{ offset: 1, metadata: '' }]])
    expect((await world.checkpoints.load(task))!.offset).toBe(1)
  })

  it('gives up what it holds when another owner stored meanwhile, and commits nothing', async () => {
    const [world, context] = [new World(), new Context()]
    const [late, owner] = [await world.owner(idleTask), await world.owner(idleTask)]
    await late.takeBatch([record], new Context())
    const taking = owner.takeBatch([record, { ...record, offset: 1 }], context)
    await expect(taking).rejects.toMatchObject({ code: 'CHECKPOINT_REFUSED', canRetry: true })
    expect([world.outcomes, context.commits]).toEqual([['stored 1', 'refused 2'], []])
    const recovered = await world.owner(idleTask)
    await recovered.takeBatch([record, { ...record, offset: 1 }], context)
    expect(world.outcomes.at(-1)).toBe('stored 2')
  })

  it('leaves what an undisturbed owner leaves, when a late one stored in between', async () => {
    const { log, flow, heartbeat } = traffic()
    const first = flow(0, 2 * slideMs + 50_000)
    const second = flow(2 * slideMs + 50_000, 2 * slideMs + 150_000) // in the middle of a slide
    const third = flow(2 * slideMs + 150_000, 4 * slideMs + 50_000)
    heartbeat(40 * slideMs) // the service is forgotten, and comes back
    flow(60 * slideMs, 63 * slideMs)

    const undisturbed = new World()
    await undisturbed.takeAll(log.slice(0, first))
    await undisturbed.takeAll(log.slice(first, third))
    const parts = await undisturbed.parts()
    await undisturbed.takeAll(log.slice(third))

    const world = new World()
    const paused = await world.owner()
    await paused.takeBatch(log.slice(0, first), new Context())
    const owner = await world.owner()
    await paused.takeBatch(log.slice(first, second), new Context())
    // what the late one wrote down comes and goes here, before anything is to be stored
    await world.takeAll(log.slice(first, third), owner)
    const outcomes = world.outcomes.map((outcome) => outcome.split(' ')[0])
    expect(await world.parts()).toEqual(parts)
    await world.takeAll(log.slice(third))
    expect(world.records).toEqual(undisturbed.records)
    expect(outcomes).toEqual(['stored', 'stored', 'refused', 'stored'])
    expect(await world.parts()).toEqual(await undisturbed.parts())
  })

  it('keeps the session while a checkpoint is stored', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    onTestFinished(() => void vi.useRealTimers())
    const memory = memoryCheckpointStore()
    const store = withGate(memory)
    const [world, context] = [new World(store.checkpoints), new Context()]
    const taking = (await world.owner(idleTask)).takeBatch([record], context)
    await store.asked()
    const before = context.beats
    await vi.advanceTimersByTimeAsync(8_000)
    expect(context.beats - before).toBe(8)
    store.answer()
    await taking
    const after = context.beats
    await vi.advanceTimersByTimeAsync(8_000)
    expect([context.beats - after, world.outcomes]).toEqual([0, ['stored 1']])
  })

  it('waits for its own save rather than store beside it, when a rebalance left it the partition', async () => {
    const store = withGate(memoryCheckpointStore())
    const [world, over, context] = [new World(store.checkpoints), new Context(), new Context()]
    const owner = await world.owner(idleTask)
    const taking = owner.takeBatch([record], over)
    await store.asked()
    over.isCurrent = false
    await taking
    expect(over.commits).toEqual([])
    const goingOn = owner.takeBatch([{ ...record, offset: 1 }], context)
    await new Promise((resolve) => setImmediate(resolve)) // it has folded, and would store now
    store.answer()
    await goingOn
    expect([world.outcomes, context.commits.at(-1)!.offset]).toEqual([['stored 1', 'stored 2'], 2])
    expect([...(await world.parts()).keys()].sort()).toEqual(['part/1', 'part/2', 'runner'])
  })

  it('says since when nothing was stored: since the assignment, whatever was tried, then since what was stored', async () => {
    const memory = memoryCheckpointStore()
    let isAway = true
    const save: CheckpointStore['save'] = async (...of) => {
      if (isAway) throw new SentinelError('DATABASE_UNAVAILABLE', 'away')
      return memory.save(...of)
    }
    const world = new World({ load: memory.load, save })
    world.nowMs = 1_000
    const owner = await world.owner(idleTask)
    world.nowMs = 60_000
    await owner.takeBatch([record], new Context())
    expect([world.outcomes, owner.checkpointAgeMs]).toEqual([['failed 1'], 59_000])
    isAway = false
    world.nowMs = 90_000
    await owner.whenQuiet(new Context())
    expect([world.outcomes.at(-1), owner.checkpointAgeMs]).toEqual(['stored 1', 0])
  })

  it('goes on without a checkpoint while the database is away, and stores all of it later', async () => {
    const memory = memoryCheckpointStore()
    let isAway = true
    const save: CheckpointStore['save'] = async (...of) => {
      if (isAway) throw new SentinelError('DATABASE_UNAVAILABLE', 'away')
      return memory.save(...of)
    }
    const [world, context] = [new World({ load: memory.load, save }), new Context()]
    const owner = await world.owner(idleTask)
    await owner.takeBatch([record], context)
    isAway = false
    await owner.takeBatch([{ ...record, offset: 1 }], context)
    expect([world.outcomes, context.commits]).toEqual([['failed 1', 'stored 2'], [{ offset: 2, metadata: '' }]])
    expect([...(await world.parts()).keys()].sort()).toEqual(['part/1', 'part/2', 'runner'])
  })
})

/** A store whose first save waits for {@link answer}. */
function withGate(inner: CheckpointStore) {
  let answer = () => {}
  let ask = () => {}
  const gate = new Promise<void>((resolve) => {
    answer = resolve
  })
  const asked = new Promise<void>((resolve) => {
    ask = resolve
  })
  const save: CheckpointStore['save'] = async (...of) => {
    ask()
    await gate
    return inner.save(...of)
  }
  return { checkpoints: { load: inner.load, save } satisfies CheckpointStore, answer, asked: () => asked }
}
