/** The join in the whole topology: whatever crashes, is cut short or delivered again, the counts are those of one undisturbed run. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ModelQuality, QualitySlot } from '../../stream/contract/quality.ts'
import { Driver, schedules } from '../driver.ts'
import { joinedPartitions, joinedPipeline, outcomesTraffic } from './world.ts'

const options = { pipeline: joinedPipeline(), sourcePartitions: joinedPartitions }
const { input, truth } = outcomesTraffic(1)

function told(driver: Driver) {
  return [...driver.byId('model-quality', 'model-quality')].sort(([a], [b]) => (a < b ? -1 : 1))
}

/** Sums over the newest of each slot of each task. */
function sums(driver: Driver) {
  const newest = new Map<string, QualitySlot>()
  for (const { task, entity, slots } of driver.bodies<ModelQuality>('model-quality')) {
    for (const slot of slots) newest.set(`${task} ${entity} ${slot.startMs}`, slot)
  }
  const sum = { predictions: 0, labelled: 0, correct: 0, unlabelled: 0 }
  for (const slot of newest.values()) {
    for (const name of Object.keys(sum) as (keyof typeof sum)[]) sum[name] += slot[name]
  }
  return sum
}

describe('predictions and labels joined in the topology', { timeout: 120_000 }, () => {
  const undisturbed = new Driver(options, input).run([])

  it('are counted exactly', () => {
    expect(sums(undisturbed)).toEqual({
      predictions: truth.predictions,
      labelled: truth.joined,
      correct: truth.correct,
      unlabelled: truth.predictions - truth.joined,
    })
  })

  it('give the same records under crashes, cuts, redelivery, failed steps and interleavings', () => {
    const expected = told(undisturbed)
    const schedule = schedules({ length: 80, idleMs: 0 }).map((list) =>
      list.filter(({ kind }) => kind !== 'idle' && kind !== 'leave'),
    )
    fc.assert(
      fc.property(schedule, (actions) => {
        const driver = new Driver(options, input).run(actions)
        expect(told(driver)).toEqual(expected)
        const ids = driver.records('model-quality').map(({ headers }) => headers['ce_id'])
        expect(ids.length).toBe(new Set(ids).size)
      }),
      { numRuns: 25 },
    )
  })

  it('cost nothing where there are no labels: nothing is said on their topics', () => {
    const { sources, ...rest } = joinedPipeline()
    const pipeline = { ...rest, sources: sources.filter(({ name }) => name === 'predictions') }
    const ofPredictions = input.filter(({ source }) => source === 'predictions')
    const driver = new Driver({ pipeline, sourcePartitions: { predictions: 2 } }, ofPredictions).run([])
    expect(driver.records('outcomes')).toEqual([])
    expect(driver.records('model-quality')).toEqual([])
    expect(driver.byId('panes', 'pane')).toEqual(
      new Map(
        [...undisturbed.byId('panes', 'pane')].filter(
          ([, bytes]) => (JSON.parse(bytes) as { source: string }).source === 'predictions',
        ),
      ),
    )
  })
})
