/** A whole worker with topics, groups and a schema of this run's own, all of which go when the run ends, however it does. */
import { createKafka, type Kafka } from '../../stream/io/kafka/client.ts'
import { RawProducer } from '../../stream/io/kafka/raw-producer.ts'
import { withAdmin } from '../../stream/io/kafka/topics.ts'
import { provideBroker } from './broker.ts'
import { type Database, provideDatabase } from './database.ts'
import { ownPrefix } from './plan.ts'
import { createTopic, deleteTopics } from './topic.ts'
import { BenchWorker } from './worker.ts'

export interface WorldOptions {
  /** Begins the names of its topics. */
  readonly benchmark: string
  /** The source's topic is made before the worker starts. */
  readonly partitions: number
  /** `sentinel.yaml`, without topics' prefix, schema and what belongs to the machine. */
  readonly configuration: (topic: string) => Readonly<Record<string, unknown>>
}

export interface World {
  readonly kafka: Kafka
  readonly prefix: string
  /** Of the source. */
  readonly topic: string
  readonly database: Database
  readonly producer: RawProducer
  readonly worker: BenchWorker
}

/** @throws what `work` throws, or what the worker's start does; cleaned up all the same */
export async function inWorld(options: WorldOptions, work: (world: World) => Promise<void>): Promise<void> {
  const brokers = await provideBroker()
  const database = await provideDatabase()
  const kafka = createKafka({ brokers, clientId: 'bench' }, () => {})
  const prefix = ownPrefix(options.benchmark)
  const topic = `${prefix}source`
  const producer = new RawProducer(kafka)
  let worker: BenchWorker | undefined
  try {
    await withAdmin(kafka, (admin) => createTopic(admin, topic, options.partitions))
    await producer.connect()
    worker = await BenchWorker.start({
      brokers,
      databaseUrl: database.url,
      configuration: {
        topics: { prefix, partitions: { panes: 4, casefile: 1 } },
        database: { schema: database.schema },
        ...options.configuration(topic),
      },
    })
    console.error(`worker ${worker.pid}, topics ${prefix}*, schema ${database.schema}`)
    await Promise.race([work({ kafka, prefix, topic, database, producer, worker }), worker.died])
  } finally {
    await producer.disconnect()
    await worker?.stop()
    await database.end()
    await withAdmin(kafka, (admin) => deleteTopics(admin, prefix))
  }
}
