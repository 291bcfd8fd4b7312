/** Two tenants, one of which floods: what the other one sees does not change by a byte. */
import { describe, expect, it } from 'vitest'
import { configurationDigests, sourceConfig } from '../../stream/contract/configuration.ts'
import { decodeJson } from '../../stream/contract/encoding.ts'
import type { Finding } from '../../stream/contract/finding.ts'
import type { Incident } from '../../stream/contract/incident.ts'
import type { Pane } from '../../stream/contract/pane.ts'
import { type TopicName, topicNames } from '../../stream/contract/topics.ts'
import { type LocalOptions, LocalPipeline } from '../../stream/runtime/local.ts'
import type { Pipeline } from '../../stream/runtime/tasks.ts'
import { smallPipeline, startMs } from './small-world.ts'

const seconds = 200
/** Names, each seen twice, in one second: far more than the bounds. */
const floodNames = 50
const maxEntities = 16

interface Line {
  readonly source: 'calm' | 'loud'
  readonly partition: number
  readonly text: string
}

function pipeline(): Pipeline {
  const { respond, detect } = smallPipeline()
  const source = { format: 'json-log', pane: '1s', lateness: '3s' } as const
  const config = {
    sources: [
      sourceConfig.parse({ ...source, name: 'calm', tenant: 'calm' }),
      sourceConfig.parse({ ...source, name: 'loud', tenant: 'loud', maxEntities }),
    ],
    detect: { ...detect, maxEntities: 3 * maxEntities },
    respond,
  }
  return { ...config, digests: configurationDigests(config) }
}

/** Both write of two services all the time; for 20 s the loud one also writes of more than can be followed. */
function traffic({ floods }: { floods: boolean }): Line[] {
  const lines: Line[] = []
  const line = (source: Line['source'], partition: number, [timeMs, service]: [number, string]) => {
    lines.push({ source, partition, text: JSON.stringify({ time: timeMs, service, level: 'info' }) })
  }
  for (let second = 0; second < seconds; second++) {
    const timeMs = startMs + second * 1_000
    for (const service of ['payment', 'order']) {
      line('calm', second % 2, [timeMs, service])
      line('loud', second % 2, [timeMs, service])
    }
    if (!floods || second < 60 || second >= 80) continue
    for (let index = 0; index < 2 * floodNames; index++) {
      line('loud', index % 2, [timeMs, `pod-${second}-${index >> 1}`])
    }
  }
  return lines
}

function run(lines: readonly Line[]): LocalPipeline {
  const partitions = Object.fromEntries(topicNames.map((name) => [name, 3])) as Record<TopicName, number>
  const options: LocalOptions = {
    pipeline: pipeline(),
    sourcePartitions: { calm: 2, loud: 2 },
    partitions,
    clock: () => startMs,
  }
  const local = new LocalPipeline(options)
  local.pump() // all sources join before any of them has a time
  for (const { source, partition, text } of lines) {
    const value = Buffer.from(text)
    local.log.append(local.sourceTopic(source), partition, { key: null, value, timestampMs: startMs })
  }
  local.pump()
  return local
}

/** One model of far more features than there are cells for, in a source of its own. */
function manyFeatures(maxCells: number): LocalPipeline {
  const { respond, detect } = smallPipeline()
  const source = sourceConfig.parse({ name: 'wide', format: 'prediction', pane: '1s', lateness: '3s', maxCells })
  const config = { sources: [source], detect, respond }
  const partitions = Object.fromEntries(topicNames.map((name) => [name, 1])) as Record<TopicName, number>
  const pipeline = { ...config, digests: configurationDigests(config) }
  const local = new LocalPipeline({ pipeline, sourcePartitions: { wide: 1 }, partitions, clock: () => startMs })
  for (let second = 0; second < 30; second++) {
    const features = Object.fromEntries(Array.from({ length: 40 }, (_, index) => [`f${index}`, second + index]))
    const value = Buffer.from(JSON.stringify({ time: startMs + second * 1_000, model: 'm', version: '1', features }))
    local.log.append(local.sourceTopic('wide'), 0, { key: null, value, timestampMs: startMs })
  }
  local.pump()
  return local
}

function bodies<T extends { tenant: string }>(local: LocalPipeline, topic: TopicName, type: string): T[] {
  const found: T[] = []
  for (let partition = 0; partition < 3; partition++) {
    for (const { value } of local.log.read(local.topic(topic), partition, 0, 1_000_000)) {
      const body = decodeJson(value!) as T & { type: string }
      if (body.type === type) found.push(body)
    }
  }
  return found
}

/** All that a tenant's records say, in one order. */
function said(local: LocalPipeline, tenant: string): string[] {
  const kinds = [
    ['panes', 'pane'],
    ['measurements', 'measurement'],
    ['casefile', 'finding'],
    ['incidents', 'incident'],
  ] as const
  return kinds
    .flatMap(([topic, type]) => bodies(local, topic, type))
    .filter((body) => body.tenant === tenant)
    .map((body) => JSON.stringify(body))
    .sort()
}

describe('bounds on entities', () => {
  const flooded = run(traffic({ floods: true }))

  it('fold and leave out entities of the tenant that floods, and leave the other one as it is', {
    timeout: 30_000,
  }, () => {
    const quiet = run(traffic({ floods: false }))
    expect(said(flooded, 'calm')).toEqual(said(quiet, 'calm'))
    expect(said(flooded, 'calm').join('')).not.toContain('(other)')
    const panes = bodies<Pane>(flooded, 'panes', 'pane').filter(({ tenant }) => tenant === 'loud')
    const ofOne = new Map<string, Set<string>>()
    for (const { partition, startMs: at, entity } of panes) {
      const key = `${partition}/${at}`
      ofOne.set(key, (ofOne.get(key) ?? new Set()).add(entity))
    }
    expect(Math.max(...[...ofOne.values()].map(({ size }) => size))).toBe(maxEntities + 1)
    const rows = panes.reduce((sum, { count }) => sum + count, 0)
    const sent = traffic({ floods: true }).filter(({ source }) => source === 'loud').length
    // the last seconds are in panes that are still open
    expect(sent - rows).toBeLessThanOrEqual(2 * 4)
    const kept = flooded.tasks.filter(({ stage }) => stage === 'detect')
    for (const { runner } of kept) {
      const { entities } = (runner.task as { following: { entities: number } }).following
      expect(entities).toBeLessThanOrEqual(maxEntities + 2 + 1)
    }
  })

  it('are told as one incident, and recover', () => {
    const incidents = bodies<Incident>(flooded, 'incidents', 'incident')
    const crowded = incidents.filter(({ entities }) => entities.some(({ problem }) => problem === 'cardinality'))
    expect(new Set(crowded.map(({ id, tenant }) => `${tenant} ${id}`)).size).toBe(1)
    expect(crowded[0]).toMatchObject({ tenant: 'loud', entities: [{ entity: 'service:(other)' }] })
    expect(crowded.at(-1)?.status).toBe('closed')
    const findings = bodies<Finding>(flooded, 'casefile', 'finding').filter(({ votes }) =>
      votes.some(({ problem }) => problem === 'cardinality'),
    )
    expect(findings.length).toBeGreaterThan(0)
    expect(new Set(findings.map(({ tenant }) => tenant))).toEqual(new Set(['loud']))
    const home = findings.filter(({ note }) => note?.includes('sources[].maxEntities'))
    expect(home).toHaveLength(1)
  })

  it('keep the same entities whichever partition and source is read first', { timeout: 30_000 }, () => {
    const lines = traffic({ floods: true })
    const order = ({ source, partition }: Line) => (source === 'loud' ? 0 : 2) + (1 - partition)
    const other = [...lines].sort((a, b) => order(a) - order(b))
    const again = run(other)
    for (const tenant of ['calm', 'loud']) expect(said(again, tenant)).toEqual(said(flooded, tenant))
  })

  it('tell of features beyond the cells as they tell of entities', () => {
    const told = (maxCells: number) => {
      const local = manyFeatures(maxCells)
      return local.log
        .all(local.topic('casefile'))
        .map(({ value }) => decodeJson(value!) as Finding)
        .filter(({ type, votes }) => type === 'finding' && votes.some(({ problem }) => problem === 'cardinality'))
    }
    expect(told(4 * 41)).toEqual([])
    const [first] = told(4 * 40)
    expect(first).toMatchObject({ entity: 'model:(other)' })
    expect(first!.note).toContain('sources[].maxCells')
  })
})
