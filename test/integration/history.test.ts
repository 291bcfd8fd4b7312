/** What a replay reads of the past, where somebody else wrote to our topics too. */
import { describe, expect, it } from 'vitest'
import { encode } from '../../stream/contract/encoding.ts'
import { brokerTopic, type TopicName } from '../../stream/contract/topics.ts'
import { readHistory } from '../../stream/io/kafka/history.ts'
import { type Names, ownNames, servicesMissing } from './world.ts'

const topics = ['panes', 'audit', 'casefile', 'incidents', 'dead-letters'] as const satisfies readonly TopicName[]

interface Written {
  readonly value: string | Uint8Array | null
  readonly type?: string
}

/** Our topics with a partition each that hold these records, in this order. */
async function historyOf(names: Names, written: Partial<Record<TopicName, readonly Written[]>>) {
  const { kafka, admin, prefix } = names
  const created = topics.map((name) => ({ topic: brokerTopic(name, prefix), numPartitions: 1 }))
  await admin.createTopics({ topics: created, waitForLeaders: true })
  const producer = kafka.producer({ allowAutoTopicCreation: false })
  await producer.connect()
  for (const name of topics) {
    const messages = (written[name] ?? []).map(({ value, type }) => ({
      key: 'k',
      value: value === null ? null : Buffer.from(value as string),
      headers: type === undefined ? {} : { ce_type: `sentinel.${type}.v1` },
    }))
    if (messages.length > 0) await producer.send({ topic: brokerTopic(name, prefix), messages })
  }
  await producer.disconnect()
  return readHistory(kafka, admin, { sources: [], prefix, withAnswers: true })
}

const at = { source: 'logs', partition: 0, partitionCount: 1 }
const idle = { type: 'idle', ...at, position: 7, watermarkMs: 1_000 } as const
const notJson = new Uint8Array([0xff, 0x00])

describe.skipIf(servicesMissing)('the history of a live run', () => {
  it('passes records over that are not ours, and says how many there are', async () => {
    const names = await ownNames()
    const topic = (name: TopicName) => brokerTopic(name, names.prefix)
    const { idles, departures, publicKeys, answers, liveIncidents, switches, gaps, passedOver } = await historyOf(
      names,
      {
        panes: [
          { value: encode(idle), type: 'idle' },
          { value: null, type: 'idle' },
          { value: 'null', type: 'source-left' },
          { value: 'not json', type: 'source-joined' },
          { value: 'of nobody' },
          { value: encode({ ...idle, position: 9 }), type: 'idle' },
          { value: '{}', type: 'configuration-switch' },
        ],
        audit: [{ value: null }, { value: 'hello' }, { value: 'null' }, { value: '{}' }],
        casefile: [{ value: notJson }, { value: null, type: 'decision' }],
        incidents: [{ value: null, type: 'incident' }],
        'dead-letters': [{ value: '{"origin":null}' }],
      },
    )
    expect(idles.get('logs/0')).toEqual([
      { position: 7, watermarkMs: 1_000 },
      { position: 9, watermarkMs: 1_000 },
    ])
    expect([...departures, ...publicKeys, ...answers, ...liveIncidents]).toEqual([])
    expect(switches.length).toBe(1) // the tasks judge it, as they did live
    expect(gaps).toEqual([])
    expect(passedOver).toEqual([
      `3 records on ${topic('panes')} are not what their contract says, the first at partition 0, offset 1`,
      `a record on ${topic('casefile')} is not what its contract says (partition 0, offset 0)`,
      `4 records on ${topic('audit')} are not what their contract says, the first at partition 0, offset 0`,
      `a record on ${topic('dead-letters')} is not what its contract says (partition 0, offset 0)`,
      `a record on ${topic('incidents')} is not what its contract says (partition 0, offset 0)`,
    ])
  })

  it('has nothing to say of what is whole', async () => {
    const { passedOver } = await historyOf(await ownNames(), { panes: [{ value: encode(idle), type: 'idle' }] })
    expect(passedOver).toEqual([])
  })
})
