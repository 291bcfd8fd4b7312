/** A person who approves what waits, and an executor that does what it is told: what moves the small world's incidents on. */
import type { CommandResult } from '../../stream/contract/case.ts'
import { brokerTopic, type topicNames } from '../../stream/contract/topics.ts'
import { type DecideContext, decide } from '../../stream/io/http/decide.ts'
import type { SigningKey } from '../../stream/io/http/keys.ts'
import type { RecordProducer } from '../../stream/io/kafka/producer.ts'
import type { RawProducer } from '../../stream/io/kafka/raw-producer.ts'
import type { ReadModel } from '../../stream/read-model.ts'
import { addressed } from '../../stream/runtime/emission.ts'

const lookEveryMs = 400
const person = { principal: 'chaos', role: 'approver', tenants: '*' } as const

export interface AnswersOptions {
  readonly readModel: ReadModel
  readonly key: SigningKey
  readonly records: RecordProducer
  readonly raw: RawProducer
  readonly prefix: string
  /** Partitions of `casefile`. */
  readonly casefilePartitions: number
}

export class Answers {
  private readonly options: AnswersOptions
  private readonly answered = new Set<string>()
  /** Commands of which the broker has acknowledged a result. */
  readonly reported = new Set<string>()
  /** Ids of decisions that the broker has acknowledged. */
  readonly decided = new Set<string>()
  private timer: NodeJS.Timeout | undefined
  private looking: Promise<void> = Promise.resolve()
  decisions = 0
  results = 0

  constructor(options: AnswersOptions) {
    this.options = options
  }

  start(): void {
    this.timer = setInterval(() => {
      this.looking = this.looking.then(() => this.look()).catch(() => {}) // a service is away: the next look comes
    }, lookEveryMs)
  }

  async stop(): Promise<void> {
    clearInterval(this.timer)
    await this.looking
  }

  private async look(): Promise<void> {
    const { readModel, key, records, raw, prefix, casefilePartitions } = this.options
    const context: DecideContext = {
      readModel,
      key,
      now: Date.now,
      append: async (decision) => {
        const body = { topic: 'casefile', route: 'key', key: decision.tenant, id: decision.id } as const
        const partitionCount = (name: (typeof topicNames)[number]) => (name === 'casefile' ? casefilePartitions : 1)
        const target = { source: 'api', lineage: 'api:0:0:', task: 0, partitionCount }
        await records.sendOrThrow(addressed({ ...body, timeMs: Date.now(), body: decision }, target))
        this.decided.add(decision.id)
      },
    }
    for (const { remediation } of await readModel.approvals('awaiting-approval')) {
      const { commandId } = remediation.proposal
      if (this.answered.has(commandId)) continue
      const request = { decision: 'approve', proposalDigest: remediation.proposalDigest } as const
      await decide(context, { commandId, caller: person, request })
      this.answered.add(commandId)
      this.decisions++
    }
    for (const { remediation } of await readModel.approvals('commanded')) {
      const { commandId, tenant } = remediation.proposal
      if (this.reported.has(commandId)) continue
      const result: CommandResult = { type: 'command-result', tenant, commandId, state: 'succeeded', executor: 'chaos' }
      const topic = brokerTopic('command-results', prefix)
      await raw.send([{ topic, partition: 0, key: commandId, value: Buffer.from(JSON.stringify(result)) }])
      this.reported.add(commandId)
      this.results++
    }
  }
}
