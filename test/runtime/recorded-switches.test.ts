/** Recorded switches of configurations: how many there were, and where a replay that applies them begins. */
import { describe, expect, it } from 'vitest'
import { configurationDigests, detectConfig } from '../../stream/contract/configuration.ts'
import { encode } from '../../stream/contract/encoding.ts'
import { asRecorded, changesOf, type RecordedSwitch } from '../../stream/runtime/recorded-switches.ts'
import type { Pipeline } from '../../stream/runtime/tasks.ts'
import { knownOf } from '../driver.ts'
import { smallPipeline, startMs } from './small-world.ts'

const now = smallPipeline()
const before = withSustain('5s')
const first = withSustain('15s')
const partitions = { detect: 2, respond: 2 }

function withSustain(duration: string): Pipeline {
  const [vote] = now.detect.votes.service
  const votes = { service: [{ ...vote, sustain: { duration } }] }
  const config = { ...now, detect: detectConfig.parse({ ...now.detect, votes }) }
  return { ...config, digests: configurationDigests(config) }
}

let offset = 0
function ofDetect(partition: number, from: Pipeline, to: Pipeline, atMs: number): RecordedSwitch {
  const digests = { previousDigest: from.digests.detect, digest: to.digests.detect }
  const value = encode({ type: 'configuration-switch', stage: 'detect', partition: 0, ...digests, atMs })
  const record = { topic: 'panes', partition, offset: ++offset, timestampMs: 0, key: null, value, headers: {} }
  return { topic: 'panes', partition, record }
}

const switches = [
  ofDetect(0, first, before, startMs + 1_000),
  ofDetect(0, first, before, startMs + 2_000), // said again after a crash
  ofDetect(0, before, now, startMs + 9_000),
  ofDetect(1, first, before, startMs + 3_000),
  ofDetect(1, before, now, startMs + 8_000),
]

describe('recorded switches', () => {
  it('are counted once for all tasks of a stage, and once where they were said again', () => {
    expect(changesOf(switches)).toEqual([
      {
        stage: 'detect',
        previousDigest: first.digests.detect,
        digest: before.digests.detect,
        firstMs: startMs + 1_000,
        lastMs: startMs + 3_000,
      },
      {
        stage: 'detect',
        previousDigest: before.digests.detect,
        digest: now.digests.detect,
        firstMs: startMs + 8_000,
        lastMs: startMs + 9_000,
      },
    ])
    expect(changesOf([])).toEqual([])
  })

  it('tell where the live run began: a stage without any began under the configuration of now', () => {
    const { pipeline, known, gaps } = asRecorded(now, { switches, known: knownOf(first, before), partitions })
    expect(pipeline.digests).toEqual({ ...now.digests, detect: first.digests.detect })
    expect(pipeline.detect).toEqual(first.detect)
    expect([...known.detect!.keys()].sort()).toEqual([first, before, now].map(({ digests }) => digests.detect).sort())
    expect(gaps).toEqual([])
  })

  it('name the configuration that is missing, and what to do', () => {
    expect(() => asRecorded(now, { switches, known: knownOf(first), partitions })).toThrow(
      new RegExp(
        `not stored, or cannot be read by this version: ${before.digests.detect}. Look whether database.schema`,
      ),
    )
  })

  it('say what is not comparable: a task that began elsewhere, and one that recorded none', () => {
    const odd = [ofDetect(0, first, now, startMs), ofDetect(1, before, now, startMs)]
    const { gaps } = asRecorded(now, {
      switches: odd,
      known: knownOf(first, before),
      partitions: { detect: 3, respond: 1 },
    })
    expect(gaps).toEqual([
      `detect/1 began under another configuration than ${first.digests.detect}`,
      '1 tasks of detect have recorded no switch, others have',
    ])
  })
})
