/** Declared switches of configurations: a replay that begins under the former one comes to the same records. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type KeyDeclaration, signingBytes } from '../../stream/contract/case.ts'
import { configurationDigests, detectConfig, respondConfig } from '../../stream/contract/configuration.ts'
import { decodeJson, encode } from '../../stream/contract/encoding.ts'
import type { Measurement } from '../../stream/contract/finding.ts'
import type { AuditEntry } from '../../stream/contract/incident.ts'
import { type TopicName, topicNames } from '../../stream/contract/topics.ts'
import { makeSigningKey } from '../../stream/io/http/keys.ts'
import type { RecordedSwitch } from '../../stream/runtime/recorded-switches.ts'
import { type RecordedAnswer, Replay } from '../../stream/runtime/replay.ts'
import type { Pipeline } from '../../stream/runtime/tasks.ts'
import { type Action, Driver, knownOf, schedules } from '../driver.ts'
import { smallPipeline, smallTraffic, sourcePartitions, startMs } from './small-world.ts'

const former = smallPipeline()
const next = changed(former)
const last = changedAgain(next)
const signer = makeSigningKey()
const input = smallTraffic(5)
const options = { pipeline: former, sourcePartitions, next: { pipelines: [next, last], signer } }

/** Another threshold, another vote beside the old one, and another cooldown. */
function changed(from: Pipeline): Pipeline {
  const [errors] = from.detect.votes.service
  const detect = detectConfig.parse({
    ...from.detect,
    detectors: { rate: { minTrials: 10, warningScore: 1, driftScore: 2 } },
    votes: {
      service: [
        errors!,
        {
          vote: 'latency',
          problem: 'latency',
          features: ['duration_ms'],
          detectors: ['student-t'],
          quorum: 1,
          sustain: { duration: '5s' },
        },
      ],
    },
  })
  const respond = respondConfig.parse({
    ...from.respond,
    cooldown: '5s',
    quietClose: '5s',
    policy: { allow: ['restart-service'] },
  })
  const config = { sources: from.sources, detect, respond }
  return { ...config, digests: configurationDigests(config) }
}

/** A third one: other thresholds, and no vote on latency any more. */
function changedAgain(from: Pipeline): Pipeline {
  const detect = detectConfig.parse({
    ...from.detect,
    detectors: { rate: { minTrials: 10, warningScore: 3, driftScore: 5 } },
    votes: { service: [from.detect.votes.service[0]!] },
  })
  const respond = respondConfig.parse({ ...from.respond, cooldown: '11s', quietClose: '7s' })
  const config = { sources: from.sources, detect, respond }
  return { ...config, digests: configurationDigests(config) }
}

const types = ['measurement', 'reference', 'finding', 'incident', 'command', 'audit'] as const

function live(schedule: readonly Action[]): Driver {
  return new Driver(options, input).run(schedule)
}

function measurementsOf(driver: Driver): Measurement[] {
  return driver.bodies<Measurement>('measurements').filter(({ type }) => type === 'measurement')
}

function liveRecords(driver: Driver): Map<string, Map<string, string>> {
  const topics = {
    measurement: 'measurements',
    reference: 'measurements',
    finding: 'casefile',
    incident: 'incidents',
    command: 'commands',
    audit: 'audit',
  } as const
  return new Map(types.map((type) => [type, driver.byId(topics[type], type)]))
}

function switchesOf(driver: Driver): RecordedSwitch[] {
  return (['panes', 'casefile'] as const).flatMap((topic) =>
    driver.records(topic).flatMap((record) => {
      const isSwitch = record.headers['ce_type'] === 'sentinel.configuration-switch.v1'
      return isSwitch ? [{ topic, partition: record.partition, record }] : []
    }),
  )
}

function replayed(driver: Driver, answers: readonly RecordedAnswer[] = []): Map<string, Map<string, string>> {
  const out = new Map(types.map((type) => [type as string, new Map<string, string>()]))
  const switches = switchesOf(driver)
  const replay = new Replay({
    pipeline: former,
    sourcePartitions,
    partitions: Object.fromEntries(topicNames.map((name) => [name, 2])) as Record<TopicName, number>,
    startOffsets: new Map(),
    idles: new Map(),
    switches,
    known: knownOf(next, last),
    answers,
    publicKeys: [{ keyId: signer.keyId, spki: signer.spki }],
    observe: ({ headers, value }) => {
      const type = headers['ce_type']!.split('.')[1]!
      out.get(type)?.set(headers['ce_id']!, Buffer.from(value).toString('utf8'))
    },
  })
  for (const source of ['logs', 'more'] as const) {
    for (const record of driver.local.log.all(driver.local.sourceTopic(source))) replay.feed(source, record)
  }
  replay.finish()
  return out
}

/** One switch, anywhere. */
const switching = fc
  .tuple(schedules({ length: 50, idleMs: 0 }), fc.nat(40))
  .map(([schedule, at]) => undeclared(schedule).toSpliced(at, 0, { kind: 'switch' } as const))

/** Up to four switches, before each of which some tasks go far, others nowhere, and some crash. The third leads back. */
const switchingOften = fc
  .array(
    fc.record({
      arrived: fc.nat(600),
      worked: fc.array(fc.nat(8), { minLength: 4, maxLength: 14, size: 'max' }),
      rest: schedules({ length: 6, idleMs: 0 }),
    }),
    { minLength: 2, maxLength: 4, size: 'max' },
  )
  .map((parts) =>
    parts.flatMap(({ arrived, worked, rest }): Action[] => [
      { kind: 'arrive', count: arrived },
      ...worked.map((task): Action => ({ kind: 'work', task, count: 2_000 })),
      { kind: 'switch' },
      ...undeclared(rest),
    ]),
  )

function undeclared(schedule: readonly Action[]): Action[] {
  return schedule.filter(({ kind }) => kind !== 'idle' && kind !== 'leave' && kind !== 'switch')
}

const halfway: Action[] = [
  { kind: 'arrive', count: 900 },
  ...Array.from({ length: 40 }, (_, task): Action => ({ kind: 'work', task, count: 2_000 })),
  { kind: 'switch' },
]

describe('a declared switch of configurations', { timeout: 240_000 }, () => {
  const driver = live(halfway)
  const measurements = measurementsOf(driver)

  it('holds from its event time on: slides before it are judged as before, later ones by the new votes', () => {
    const votesAt = (one: Measurement) => one.votes.some(({ vote }) => vote === 'latency')
    const lastFormerMs = Math.max(
      ...measurements.filter((one) => !votesAt(one)).map(({ evaluationMs }) => evaluationMs),
    )
    const firstNextMs = Math.min(...measurements.filter(votesAt).map(({ evaluationMs }) => evaluationMs))
    expect(lastFormerMs).toBeGreaterThan(startMs)
    expect(firstNextMs).toBeGreaterThan(lastFormerMs - 1)
    for (const task of driver.local.tasks) {
      if (task.stage === 'ingest') continue
      expect((task.runner.task as { digest: string }).digest).toBe(next.digests[task.stage])
    }
  })

  it('keeps what does not depend on it: windows and baselines go on', () => {
    const undisturbed = new Driver(options, input).run([])
    const counts = (of: Driver) =>
      measurementsOf(of).map(
        ({ source, entity, evaluationMs, count }) => `${source} ${entity} ${evaluationMs} ${count}`,
      )
    expect(counts(driver).sort()).toEqual(counts(undisturbed).sort())
    const latency = measurements.filter(({ votes }) => votes.some(({ vote }) => vote === 'latency'))
    const verdicts = latency.slice(0, 3).flatMap(({ features }) => features.flatMap((feature) => feature.verdicts))
    expect(verdicts.some(({ detector, status }) => detector === 'rate' && status !== 'insufficient')).toBe(true)
  })

  it('is said in the audit', () => {
    const audit = driver.bodies<AuditEntry>('audit').filter(({ event }) => event === 'configuration-switched')
    expect(audit.map(({ details }) => [details['previousDigest'], details['digest']])).toEqual(
      [0, 1].map(() => [former.digests.respond, next.digests.respond]),
    )
  })

  it('gives the same in a replay that begins under the former configuration, wherever it was declared', () => {
    let switched = 0
    fc.assert(
      fc.property(switching, (schedule) => {
        const one = live(schedule)
        if (one.records('panes').some(({ headers }) => headers['ce_type']?.includes('switch'))) switched++
        const [expected, found] = [liveRecords(one), replayed(one)]
        for (const type of types) expect([type, found.get(type)]).toEqual([type, expected.get(type)])
      }),
      { numRuns: 10 },
    )
    expect(switched).toBe(10)
  })

  it('is followed by further ones while it is under way: a replay gives the same, back at the first one too', () => {
    let overtaken = 0
    fc.assert(
      fc.property(switchingOften, (schedule) => {
        const one = live(schedule)
        overtaken += one.overtaken
        const [expected, found] = [liveRecords(one), replayed(one)]
        for (const type of types) expect([type, found.get(type)]).toEqual([type, expected.get(type)])
        expect(one.bodies<AuditEntry>('audit').filter(({ event }) => event === 'record-ignored')).toEqual([])
      }),
      { numRuns: 10 },
    )
    expect(overtaken).toBeGreaterThan(10)
  })

  it('may be signed by a key that was declared after the begin, and a replay takes it all the same', () => {
    const middle = input.length / 2
    const one = new Driver(options, input.slice(0, middle)).run([])
    const newer = makeSigningKey()
    for (const partition of [0, 1]) {
      const task = one.local.task(`respond/${partition}`)
      const key = { keyId: newer.keyId, spki: newer.spki, revoke: [signer.keyId], signedBy: signer.keyId }
      const declared: KeyDeclaration = { type: 'key-declaration', ...key, signature: '' }
      const value = encode({ ...declared, signature: signer.sign(signingBytes(declared)) })
      const headers = { ce_type: 'sentinel.key-declaration.v1' }
      one.local.append({ topic: 'casefile', partition, key: new Uint8Array(), value, headers })
      one.local.pump()
      const atMs = task.runner.task.watermarkMs! + 20_000
      one.local.declareSwitch(task, { digest: next.digests.respond, atMs, signer: newer })
    }
    for (const { source, partition, value } of input.slice(middle)) {
      one.local.log.append(one.local.sourceTopic(source), partition, { key: null, value })
    }
    one.local.pump()
    const audit = one.bodies<AuditEntry>('audit')
    expect(audit.filter(({ event }) => event === 'configuration-switched').length).toBe(2)
    expect(audit.filter(({ event }) => event === 'record-ignored')).toEqual([])
    const answers = one.records('casefile').flatMap((record): RecordedAnswer[] => {
      const { partition, offset } = record
      const entry = audit.find(({ cause }) => cause.partition === partition && cause.offset === offset)
      return entry?.event === 'key-declared' ? [{ partition, record, frontierMs: entry.cause.frontierMs }] : []
    })
    expect(answers.length).toBe(2)
    expect(replayed(one, answers)).toEqual(liveRecords(one))
  })

  it('is refused by respond where nobody signed it, and by both where it does not follow from what is in force', () => {
    const one = new Driver(options, input)
    const respond = one.local.task('respond/0')
    one.local.declareSwitch(respond, { digest: next.digests.respond, atMs: 0 })
    one.local.declareSwitch(respond, { digest: 'f'.repeat(16), atMs: 0, signer })
    one.local.declareSwitch(respond, {
      digest: next.digests.respond,
      atMs: 0,
      signer: { ...signer, sign: () => 'AAAA' },
    })
    one.local.declareSwitch(one.local.task('detect/0'), { digest: 'f'.repeat(16), atMs: 0 })
    one.run([])
    expect((respond.runner.task as { digest: string }).digest).toBe(former.digests.respond)
    const reasons = one.bodies<AuditEntry>('audit').filter(({ event }) => event === 'record-ignored')
    expect(reasons.map(({ details }) => details['reason'])).toEqual([
      'a switch of configurations that no valid key has signed',
      'a switch to a configuration that this process does not know',
      'a switch of configurations that no valid key has signed',
    ])
    const letters = one.records('dead-letters').map(({ value }) => decodeJson(value!) as { reason: string })
    expect(letters.map(({ reason }) => reason)).toContain(
      'not a record of panes: a switch to a configuration that this process does not know',
    )
  })
})
