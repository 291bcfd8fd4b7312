import { joinsLabels } from '../contract/outcome.ts'
import { brokerTopic } from '../contract/topics.ts'
import { createKafka } from '../io/kafka/client.ts'
import { ensureTopics, offsetRanges, withAdmin } from '../io/kafka/topics.ts'
import { kafkaAclsCommand, workerPermissions } from '../permissions.ts'
import { topicsInUse } from '../topology.ts'
import { type CommandContext, defineCommand } from './args.ts'
import { kafkaConnection } from './connections.ts'
import { load } from './load.ts'
import { topicPlan } from './worker.ts'

const flags = {
  create: { type: 'boolean', description: 'Make those of ours that are missing' },
  acls: { type: 'boolean', description: 'Print the ACLs that a worker needs, as kafka-acls commands; asks no broker' },
  principal: {
    type: 'text',
    value: 'PRINCIPAL',
    default: 'User:sentinel',
    description: 'Whom the ACLs are for',
  },
} as const

/** Shows the topics that a configuration reads and writes. */
export const topics = defineCommand({
  name: 'topics',
  summary: 'Show the topics that are read and written, with their offsets',
  description: 'Lists your sources and our own topics: partitions, records, whether they exist.',
  flags,
  positionals: [],
  examples: [
    { line: 'sentinel topics', what: 'what is there' },
    { line: 'sentinel topics --create', what: 'makes ours before the first run' },
    { line: 'sentinel topics --acls --principal User:sentinel', what: 'what the worker has to be allowed' },
  ],
  exitCodes: { 1: 'some topic is missing' },
  run,
})

async function run(context: CommandContext<typeof flags>): Promise<number> {
  const { terminal, flags: given } = context
  const loaded = await load(context)
  const { config } = loaded
  if (given.acls) {
    const permissions = workerPermissions({
      prefix: config.topics.prefix,
      groupPrefix: config.kafka.groupPrefix,
      sources: config.sources.map(({ topic }) => topic),
      joinsLabels: joinsLabels(config.sources),
    })
    for (const permission of permissions) {
      terminal.print(`# ${permission.use}`)
      terminal.print(kafkaAclsCommand(permission, given.principal ?? 'User:sentinel'))
    }
    return 0
  }
  const kafka = createKafka(kafkaConnection(loaded), () => {})
  const listed = [
    ...config.sources.map(({ name, topic }) => ({ role: `source ${name}`, topic })),
    ...topicsInUse(topicPlan(config)).map((name) => ({ role: name, topic: brokerTopic(name, config.topics.prefix) })),
  ]
  return withAdmin(kafka, async (admin) => {
    if (given.create) for (const topic of await ensureTopics(admin, topicPlan(config))) terminal.note(`made ${topic}`)
    const existing = new Set(await admin.listTopics())
    const rows = []
    for (const { role, topic } of listed) {
      const ranges = existing.has(topic) ? await offsetRanges(admin, topic) : null
      const records = (ranges ?? []).reduce((sum, { low, high }) => sum + high - low, 0)
      rows.push([
        role,
        topic,
        ranges === null ? 'missing' : String(ranges.length),
        ranges === null ? '' : records.toLocaleString('en'),
      ])
    }
    const columns = [
      { title: 'role' },
      { title: 'topic' },
      { title: 'partitions', align: 'right' as const },
      { title: 'records', align: 'right' as const },
    ]
    terminal.print(terminal.table(columns, rows))
    return listed.every(({ topic }) => existing.has(topic)) ? 0 : 1
  })
}
