/** The demo's story on the log in memory, by seed: what every seed has to come to. */

import { readFile } from 'node:fs/promises'
import { expect } from 'vitest'
import { demoBehindMs, demoConfiguration, demoPartitions } from '../../stream/cli/demo-configuration.ts'
import { createMemoryDemo } from '../../stream/cli/demo-memory.ts'
import { packageFile } from '../../stream/cli/package-file.ts'
import { loadConfig } from '../../stream/config.ts'
import type { Measurement } from '../../stream/contract/finding.ts'
import type { LearnedReference } from '../../stream/contract/reference.ts'
import { type Narrator, playStory } from '../../stream/simulate/story.ts'

const startMs = Date.UTC(2026, 0, 5)
const dayMs = 86_400_000

const narrator: Narrator = {
  phase() {},
  progress() {},
  incident() {},
  say() {},
  ask: async () => 'approve',
}

/** Plays the story and holds it to its promises; `clock` stands still, so that nothing expires. */
export async function expectStory(seed: number): Promise<void> {
  const runbooks = ['recycle-connections', 'previous-model', 'restart-silent'].map((name) =>
    packageFile(`examples/runbooks/${name}.yaml`),
  )
  const text = JSON.stringify(demoConfiguration({ prefix: '', schema: 'demo', stateFolder: '.', port: 0, runbooks }))
  const { config, digests } = await loadConfig({
    path: 'demo.yaml',
    env: {},
    readFile: async (path) => (path.endsWith('demo.yaml') ? text : readFile(path, 'utf8')),
  })
  const judged = { evaluations: 0, insufficient: 0 }
  let nowMs = Date.UTC(2026, 0, 8)
  const port = createMemoryDemo({
    pipeline: { sources: config.sources, detect: config.detect, respond: config.respond, digests },
    partitions: config.topics.partitions,
    sourcePartitions: demoPartitions,
    clock: () => nowMs++,
    observe: ({ topic, value }) => {
      if (topic !== 'measurements') return
      const measurement = JSON.parse(Buffer.from(value).toString('utf8')) as Measurement | LearnedReference
      if (measurement.type === 'reference') return
      if (measurement.evaluationMs <= startMs + dayMs || measurement.evaluationMs > startMs + 2 * dayMs) return
      for (const { status } of measurement.votes) {
        judged.evaluations++
        if (status === 'insufficient') judged.insufficient++
      }
    },
  })
  const outcome = await playStory(port, narrator, { seed, startMs, partitions: demoPartitions, behindMs: demoBehindMs })
  expect(outcome.quietIncidents).toBe(0)
  expect(judged.evaluations).toBeGreaterThan(5_000)
  expect(judged.insufficient / judged.evaluations).toBeLessThan(0.05)
  const [cascade, drift, ...more] = outcome.incidents
  expect(more.map(({ title }) => title)).toEqual([])
  const entities = [...new Set(cascade?.entities.map(({ entity }) => entity))]
  expect(entities[0]).toBe('service:payment')
  expect(entities.sort()).toEqual(['service:gateway', 'service:order', 'service:payment'])
  expect(drift?.entities.map(({ entity }) => entity)).toEqual(['model:churn@3'])
  expect(outcome.incidents.map(({ status, resolution }) => [status, resolution])).toEqual([
    ['closed', 'remediated'],
    ['closed', 'remediated'],
  ])
}
