/** The guards on which exactly-once effects rest: where each stands, what is left without it, which tests ought to notice. */
export interface Guard {
  readonly name: string
  readonly file: string
  /** Stands in the file exactly once. */
  readonly text: string
  readonly instead: string
  readonly project: 'unit' | 'integration'
  readonly tests: readonly string[]
}

const recovery = ['test/ingest/recovery.test.ts']
const discipline = ['test/runtime/task-runner.test.ts']
const schedules = ['test/runtime/schedules.test.ts', 'test/runtime/task-runner.test.ts']
const consumer = ['test/io/kafka/stage-consumer.test.ts']
const ownership = ['test/io/kafka/judging-handler.test.ts']
const idleness = ['test/io/kafka/idle-policy.test.ts']
const verdict = ['test/integration/verdict.test.ts']
const judging = 'stream/io/kafka/judging-handler.ts'
const ingest = 'stream/ingest/ingest.ts'
const runner = 'stream/runtime/task-runner.ts'

export const guards: readonly Guard[] = [
  {
    name: 'checkpoints only grow, and only from the offset that the owner knows (PostgreSQL)',
    file: 'stream/io/postgres/checkpoint-store.ts',
    text: ' and next_offset = $6 and next_offset <= $4',
    instead: ' and $6::bigint is not null',
    project: 'integration',
    tests: ['test/integration/postgres-checkpoint.test.ts'],
  },
  {
    name: 'checkpoints only grow, and only from the offset that the owner knows (memory)',
    file: 'stream/runtime/checkpoint-store.ts',
    text: `    stored.offset === expected.offset &&
    next.offset >= stored.offset`,
    instead: '    true',
    project: 'unit',
    tests: ['test/io/checkpoint-store.test.ts'],
  },
  {
    name: 'a checkpoint belongs to one incarnation of its topic and one configuration',
    file: 'stream/io/postgres/checkpoint-store.ts',
    text: ' and incarnation = $2 and digest = $7',
    instead: ' and $2::text is not null and $7::text is not null',
    project: 'integration',
    tests: ['test/integration/postgres-checkpoint.test.ts'],
  },
  {
    name: 'refused checkpoint: recovered from what is stored, nothing is stored on top of another owner’s',
    file: judging,
    text: "        throw new SentinelError('CHECKPOINT_REFUSED', text)\n",
    instead: '        this.storedOffset = (await this.options.checkpoints.load(name))!.offset\n        return\n',
    project: 'unit',
    tests: ownership,
  },
  {
    name: 'one save at a time: the end of the one before is waited for',
    file: judging,
    text: '      if (this.saving !== null) await whileCurrent(context, this.saving)\n',
    instead: '',
    project: 'unit',
    tests: ownership,
  },
  {
    name: 'a slide is judged once: parts of a closed one are not restored',
    file: 'stream/detect/detect.ts',
    text: 'if (state.isClosed(pane)) ',
    instead: 'if (state.closedMs === Number.POSITIVE_INFINITY) ',
    project: 'unit',
    tests: ['test/detect/detect.test.ts'],
  },
  {
    name: 'the session is kept while the database or the broker takes its time',
    file: 'stream/io/kafka/beating.ts',
    text: 'const alive = setInterval(() => void context.heartbeat(), beatEveryMs)',
    instead: 'const alive = setInterval(() => {}, beatEveryMs)',
    project: 'unit',
    tests: [...ownership, 'test/io/kafka/sink-handler.test.ts', 'test/io/kafka/fold.test.ts'],
  },
  {
    name: 'lineage: what is out already is not written again',
    file: runner,
    text: 'if (last !== undefined && n <= last.lineage.n) {',
    instead: 'if (last !== undefined && n < 0) {',
    project: 'unit',
    tests: schedules,
  },
  {
    name: 'lineage: numbers of another incarnation say nothing',
    file: 'stream/runtime/tasks.ts',
    text: '.filter(([, last]) => last.lineage.incarnation === incarnation)',
    instead: '',
    project: 'unit',
    tests: ['test/runtime/tasks.test.ts'],
  },
  {
    name: 'last record: what is out has to be what the task makes of its input',
    file: runner,
    text: 'n < last.lineage.n || last.id === emission.id,',
    instead: 'true,',
    project: 'unit',
    tests: discipline,
  },
  {
    name: 'the lowest contributing offset is committed',
    file: ingest,
    text: 'const replay = this.#replayPointAfter(Number.NEGATIVE_INFINITY) ?? {',
    instead: 'const replay = {',
    project: 'unit',
    tests: recovery,
  },
  {
    name: 'the watermark lies in the commit’s metadata: the clock before the commit',
    file: ingest,
    text: 'highestMs = this.#recovery.clockBeforeMs',
    instead: 'highestMs = null',
    project: 'unit',
    tests: recovery,
  },
  {
    name: 'the watermark lies in the commit’s metadata: what was open at the position',
    file: ingest,
    text: 'const closedMs = this.#recovery === null ? clockWatermarkMs : (this.watermarkMs ?? Number.NEGATIVE_INFINITY)',
    instead: 'const closedMs = clockWatermarkMs',
    project: 'unit',
    tests: recovery,
  },
  {
    name: 'seek on join: a kept partition goes on at its own position',
    file: 'stream/io/kafka/stage-consumer.ts',
    text: '          this.consumer.seek({ topic, partition, offset: String(slot.handler.next) })\n',
    instead: '',
    project: 'unit',
    tests: consumer,
  },
  {
    name: 'seek on join: a gained partition begins at what was recovered',
    file: 'stream/io/kafka/stage-consumer.ts',
    text: '        this.consumer.seek({ topic, partition, offset: String(handler.next) })\n',
    instead: '',
    project: 'unit',
    tests: consumer,
  },
  {
    name: 'a gained partition is read only once it is recovered',
    file: 'stream/io/kafka/stage-consumer.ts',
    text: `        this.consumer.pause([{ topic, partitions: [partition] }])
        if (slot !== undefined) continue`,
    instead: '        if (slot !== undefined) continue',
    project: 'unit',
    tests: consumer,
  },
  {
    name: 'next offset only: what is delivered again is skipped',
    file: runner,
    text: "    if (record.offset < this.nextOffset) return 'skipped'\n",
    instead: '',
    project: 'unit',
    tests: schedules,
  },
  {
    name: 'next offset only: a gap in a topic of ours is loud',
    file: runner,
    text: "if (record.offset > this.nextOffset && this.context.gaps === 'refused') {",
    instead: 'if (record.offset < 0) {',
    project: 'unit',
    tests: discipline,
  },
  {
    name: 'assignment epoch: nothing is folded for an assignment that is over',
    file: 'stream/io/kafka/stage-consumer.ts',
    text: '        this.holds(slot) &&\n        performance.now() < this.stopUntilMs &&',
    instead: '        performance.now() < this.stopUntilMs &&',
    project: 'unit',
    tests: consumer,
  },
  {
    name: 'assignment epoch: nothing is committed for an assignment that is over',
    file: 'stream/io/kafka/stage-consumer.ts',
    text: '    if (!this.holds(slot)) return\n    const { topic, partition } = slot\n    const entry',
    instead: '    const { topic, partition } = slot\n    const entry',
    project: 'unit',
    tests: consumer,
  },
  {
    name: 'assignment epoch: another member id means that others may have owned what is kept',
    file: 'stream/io/kafka/stage-consumer.ts',
    text: 'const expired = memberId === this.memberId ? [] : [...this.slots.values()]',
    instead: 'const expired: Slot[] = []',
    project: 'unit',
    tests: consumer,
  },
  {
    name: 'pending idle declaration: stored before what it closes is sent',
    file: 'stream/io/kafka/ingest-handler.ts',
    text: '    await context.commit(runner.commitPoint(declaring))\n',
    instead: '',
    project: 'unit',
    tests: ['test/io/kafka/ingest-handler.test.ts'],
  },
  {
    name: 'pending idle declaration: nothing is folded while its commit is not answered',
    file: 'stream/io/kafka/ingest-handler.ts',
    text: '    await this.finishDeclaring(context)\n    if (this.declaring !== null) return\n',
    instead: '    this.declaring = null\n',
    project: 'unit',
    tests: ['test/io/kafka/ingest-handler.test.ts'],
  },
  {
    name: 'idle: what is still to be read is no silence',
    file: 'stream/io/kafka/idle-policy.ts',
    text: '    if (!isRead(partition)) return null\n',
    instead: '',
    project: 'unit',
    tests: idleness,
  },
  {
    name: 'idle: a slow reader elsewhere is no silence',
    file: 'stream/io/kafka/idle-policy.ts',
    text: 'silent: isRead && silentMs >= source.idleAfter',
    instead: 'silent: silentMs >= source.idleAfter',
    project: 'unit',
    tests: idleness,
  },
  {
    name: 'idle: never past a partition that speaks',
    file: 'stream/io/kafka/source-clocks.ts',
    text: 'return Math.min(...speaking.map(({ watermarkMs }) => watermarkMs!))',
    instead: 'return Math.max(...speaking.map(({ watermarkMs }) => watermarkMs!))',
    project: 'unit',
    tests: idleness,
  },
  {
    name: 'pending idle declaration: part of the metadata',
    file: ingest,
    text: 'pendingIdle: pending ?? this.#pendingIdle,',
    instead: 'pendingIdle: this.#pendingIdle,',
    project: 'unit',
    tests: recovery,
  },
  {
    name: 'pending idle declaration: completed at its position by who recovers',
    file: runner,
    text: '    if (pending !== null && reached >= pending.position) yield* this.applyIdle(pending)\n',
    instead: '',
    project: 'unit',
    tests: ['test/io/kafka/ingest-handler.test.ts', ...discipline],
  },
  {
    name: 'timers before findings',
    file: 'stream/respond/timers.ts',
    text: 'if (timerDue && (!findingDue || timer.dueMs <= finding.timeMs))',
    instead: 'if (timerDue && !findingDue)',
    project: 'unit',
    tests: ['test/respond/timers.test.ts', 'test/respond/order.test.ts'],
  },
  {
    name: 'candidate runs hold the commit',
    file: ingest,
    text: 'if (run === null || (ofPanes !== null && ofPanes.offset <= run.startOffset)) return ofPanes',
    instead: 'if (run === null || ofPanes !== run) return ofPanes',
    project: 'unit',
    tests: recovery,
  },
  {
    name: 'dropWritten: what an unanswered send had written is not repeated',
    file: 'stream/io/kafka/fold.ts',
    text: 'runner.dropWritten(await beating(context, readLastOut))',
    instead: 'await beating(context, readLastOut)',
    project: 'unit',
    tests: ['test/io/kafka/fold.test.ts'],
  },
  {
    name: 'output is acknowledged before a position is stored',
    file: runner,
    text: `checkpoint(): { offset: number; watermarkMs: number | null; changes: ReadonlyMap<string, Uint8Array | null> } {
    invariant(
      this.pendingCount === 0 && !this.broken,`,
    instead: `checkpoint(): { offset: number; watermarkMs: number | null; changes: ReadonlyMap<string, Uint8Array | null> } {
    invariant(
      true,`,
    project: 'unit',
    tests: discipline,
  },
  {
    name: 'a step that failed breaks its runner',
    file: runner,
    text: '      this.inStep = false\n    } catch (cause) {\n      this.brokenBy = cause\n',
    instead: '      this.inStep = false\n    } catch (cause) {\n      this.inStep = false\n',
    project: 'unit',
    tests: discipline,
  },
  {
    name: 'a batch whose checksum is wrong is not folded',
    file: 'stream/io/kafka/record-set.ts',
    text: 'crc32c(batch.subarray(ATTRIBUTES_AT)) === batch.readUInt32BE(CRC_AT)',
    instead: 'crc32c(batch.subarray(ATTRIBUTES_AT)) >= 0',
    project: 'unit',
    tests: ['test/io/kafka/record-set.test.ts'],
  },
  {
    name: 'a batch that says it lies elsewhere leads nowhere',
    file: 'stream/io/kafka/batch-order.ts',
    text: 'this.#high = high ?? Number.MAX_SAFE_INTEGER',
    instead: 'this.#high = Number.MAX_SAFE_INTEGER',
    project: 'unit',
    tests: ['test/io/kafka/record-set.test.ts'],
  },
  {
    name: 'crash tests: a result that does not come to casefile is missed',
    file: 'stream/ingest/results.ts',
    text: '    carry: (body, { offset, timeMs }) => [\n',
    instead: '    carry: (body, { offset, timeMs }) => offset >= 0 ? [] : [\n',
    project: 'integration',
    tests: verdict,
  },
  {
    name: 'crash tests: a source record that the decoder passes over is missed',
    file: 'stream/io/kafka/record-set.ts',
    text: '      messages.push(new FetchedMessage(context, position, { start, valueStart, valueEnd }))\n',
    // what is ours has headers
    instead: `      if (position % 20 !== 7 || bytes[Math.max(valueStart, valueEnd)] !== 0)
        messages.push(new FetchedMessage(context, position, { start, valueStart, valueEnd }))\n`,
    project: 'integration',
    tests: verdict,
  },
]
