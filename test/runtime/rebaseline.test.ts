/** From a level that stays to a person's word and back to quiet, through every stage; and a replay of it gives the same. */
import { describe, expect, it } from 'vitest'
import { type Decision, signingBytes } from '../../stream/contract/case.ts'
import { configurationDigests, respondConfig } from '../../stream/contract/configuration.ts'
import { decodeJson, encode } from '../../stream/contract/encoding.ts'
import type { Finding } from '../../stream/contract/finding.ts'
import { idOf } from '../../stream/contract/id.ts'
import type { AuditEntry, Command, Incident } from '../../stream/contract/incident.ts'
import type { LogRecord } from '../../stream/contract/stage.ts'
import { partitionOfKey, type TopicName, topicNames } from '../../stream/contract/topics.ts'
import { makeSigningKey } from '../../stream/io/http/keys.ts'
import { LocalPipeline } from '../../stream/runtime/local.ts'
import { type RecordedAnswer, type RecordedRebaseline, Replay } from '../../stream/runtime/replay.ts'
import type { Pipeline } from '../../stream/runtime/tasks.ts'
import { createRandom } from '../../stream/simulate/random.ts'
import { smallPipeline, startMs } from './small-world.ts'

const wallMs = 1_800_000_000_000
const signer = makeSigningKey()
const publicKeys = [{ keyId: signer.keyId, spki: signer.spki }]
const small = smallPipeline()
const config = {
  sources: small.sources.slice(0, 1),
  detect: small.detect,
  respond: respondConfig.parse({ correlation: '20s', cooldown: '30s', quietClose: '10s', escalateAfter: '1h' }),
}
const pipeline: Pipeline = { ...config, digests: configurationDigests(config) }
const partitions = Object.fromEntries(topicNames.map((name) => [name, 2])) as Record<TopicName, number>

/** After two minutes a third of all requests fails, for good. */
function* records(): Generator<{ partition: number; value: Uint8Array }> {
  const random = createRandom(4, 0)
  for (let timeMs = startMs; timeMs < startMs + 480_000; timeMs += 100) {
    const isError = random.uniform() < (timeMs > startMs + 120_000 ? 0.3 : 0.02)
    const record = { time: timeMs, service: 'payment', level: isError ? 'error' : 'info' }
    yield { partition: random.integer(2), value: encode(record) }
  }
}

function run() {
  const local = new LocalPipeline({
    ...{ pipeline, sourcePartitions: { logs: 2 }, partitions, publicKeys, clock: () => wallMs },
  })
  const all = (topic: TopicName): readonly LogRecord[] => local.log.all(local.topic(topic))
  const bodies = <Body>(topic: TopicName): Body[] => all(topic).map(({ value }) => decodeJson(value!) as Body)
  let isDecided = false
  let count = 0
  for (const { partition, value } of records()) {
    local.log.append(local.sourceTopic('logs'), partition, { key: null, value })
    if (++count % 25 !== 0) continue
    local.pump()
    const waiting = bodies<Incident>('incidents').at(-1)?.remediations.at(-1)
    if (isDecided || waiting?.state !== 'awaiting-approval') continue
    const { tenant, incidentId, commandId } = waiting.proposal
    const unsigned: Decision = {
      ...{ type: 'decision', id: idOf('decision', commandId), tenant, incidentId, commandId, decision: 'approve' },
      ...{ proposalDigest: waiting.proposalDigest, principal: 'ann', expiresMs: wallMs + 1, keyId: signer.keyId },
      signature: '',
    }
    const decided = encode({ ...unsigned, signature: signer.sign(signingBytes(unsigned)) })
    const where = { topic: 'casefile', partition: partitionOfKey(tenant, 2), key: encode(tenant) } as const
    local.append({ ...where, value: encode({ type: 'tick' }), headers: { ce_type: 'sentinel.tick.v1' } })
    local.append({ ...where, value: decided, headers: { ce_type: 'sentinel.decision.v1' } })
    isDecided = true
  }
  local.pump()
  return { local, all, bodies }
}

describe('a level that stays, through every stage', { timeout: 120_000 }, () => {
  const { local, all, bodies } = run()
  const findings = bodies<Finding>('casefile').filter(({ type }) => type === 'finding')

  it('is proposed, approved, learned anew and closed', () => {
    const incident = bodies<Incident>('incidents').at(-1)!
    expect(incident).toMatchObject({ status: 'closed', resolution: 'remediated' })
    expect(incident.remediations.map(({ proposal, state }) => [proposal.action, state])).toEqual([
      ['re-baseline', 'recovered'],
    ])
    const audit = bodies<AuditEntry>('audit').map(({ event }) => event)
    expect(audit.filter((event) => event === 're-baselined')).toHaveLength(1)
    expect(new Set(bodies<Incident>('incidents').map(({ id }) => id)).size).toBe(1)
  })

  it('comes out of a replay as it was, however many slides are judged at once there', () => {
    const audit = bodies<AuditEntry>('audit')
    const answers = all('casefile').flatMap((record): RecordedAnswer[] => {
      const { partition, offset } = record
      const entry = audit.find(({ cause }) => cause.partition === partition && cause.offset === offset)
      return entry === undefined ? [] : [{ partition, record, frontierMs: entry.cause.frontierMs }]
    })
    const done = findings.find(({ rebaselined }) => rebaselined !== undefined)!
    const rebaselines = all('commands').map((record): RecordedRebaseline => {
      expect(done.rebaselined).toEqual([(decodeJson(record.value!) as Command).id])
      return { record, doneMs: done.timeMs }
    })
    const out = new Map<string, string>()
    const replay = new Replay({
      ...{ pipeline, sourcePartitions: { logs: 2 }, partitions, startOffsets: new Map(), idles: new Map() },
      ...{ answers, rebaselines, publicKeys },
      observe: ({ headers, value }) => out.set(headers['ce_id']!, Buffer.from(value).toString('utf8')),
    })
    for (const record of local.log.all(local.sourceTopic('logs'))) replay.feed('logs', record)
    replay.finish()
    for (const topic of ['measurements', 'incidents', 'commands', 'audit'] as const) {
      const live = new Map(all(topic).map((record) => [record.headers['ce_id'], Buffer.from(record.value!).toString()]))
      expect(live.size).toBeGreaterThan(0)
      for (const [id, text] of live) expect([topic, out.get(id!)]).toEqual([topic, text])
    }
  })
})
