import { describe, expect, it } from 'vitest'
import { detectConfig } from '../../stream/contract/configuration.ts'
import { compilePlan } from '../../stream/detect/plan.ts'
import { type Learner, type LearningSlide, learnReference, withoutOutliers } from '../../stream/detect/reference.ts'
import { Random } from './random.ts'

const slideMs = 300_000
const plan = compilePlan(detectConfig.parse({ referencePeriod: '6h', referenceWindows: 2, referenceRows: 500 }))
const learner: Learner = {
  ...{ feature: 'x', type: 'numeric', anewMs: Number.NEGATIVE_INFINITY },
  freeze: (sample) => ({ rows: Array.from(sample.numeric().values) }),
}

function slides(count: number, meanOf: (index: number) => number = () => 0): LearningSlide[] {
  const draw = new Random(5)
  return Array.from({ length: count }, (_, index) => {
    const endMs = (index + 1) * slideMs
    const mean = meanOf(index) + 0.1 * draw.normal()
    const stat = { endMs, values: 5, mean, betweenM2: 0.05, withinM2: 10, withinDegrees: 100, inverseCounts: 0.2 }
    const rows = Array.from({ length: plan.learningRows }, (): [number, number] => [draw.hash(), mean + draw.normal()])
    rows.sort((a, b) => a[0] - b[0])
    return {
      endMs,
      stats: [{ feature: 'x', type: 'numeric', stat }],
      sample: { numeric: ['x'], categorical: [], rows },
    }
  })
}

describe('learnReference', () => {
  it('waits for the whole period, and for slides with rows', () => {
    expect(learnReference(slides(71), [learner], plan, ['a'])).toBeNull()
    expect(learnReference(slides(72), [learner], plan, ['a'])).toMatchObject({ fromMs: 0, toMs: 72 * slideMs })
    const sparse = slides(100).filter((_, index) => index % 5 === 0)
    expect(learnReference(sparse, [learner], plan, ['a'])).toBeNull()
    expect(learnReference(slides(72), [{ ...learner, feature: 'y' }], plan, ['a'])).toBeNull()
  })

  it('keeps a bounded sample of rows, and mean and sd of the values', () => {
    const reference = learnReference(slides(100), [learner], plan, ['a'])!
    expect(reference.sample.rows.length).toBe(500)
    expect((reference.features[0]!.frozen['rows'] as number[]).length).toBe(500)
    expect(reference.features[0]!.standard!.mean).toBeCloseTo(0, 1)
    expect(reference.features[0]!.standard!.sd).toBeGreaterThan(0.09)
    expect(learnReference(slides(100), [learner], plan, ['a'])!.id).toBe(reference.id)
    expect(learnReference(slides(100), [learner], plan, ['b'])!.id).not.toBe(reference.id)
  })

  it('leaves out slides that lie far from the others, unless many do', () => {
    const outlying = slides(100, (index) => (index >= 40 && index < 46 ? 5 : 0))
    expect(withoutOutliers(outlying, learner).length).toBe(94)
    const twoLevels = slides(100, (index) => (index % 4 === 0 ? 5 : 0))
    expect(withoutOutliers(twoLevels, learner).length).toBe(100)
    const cycle = slides(288, (index) => Math.sin((2 * Math.PI * index) / 288))
    expect(withoutOutliers(cycle, learner).length).toBe(288)
  })

  it('trims each feature by its own series: outliers of others take nothing from it', () => {
    const count = 80
    const names = Array.from({ length: 20 }, (_, feature) => `f${feature}`)
    // Every slide is an outlier of some feature: feature f is far out in slides 4f … 4f + 3, 5 % of them.
    const each = slides(count).map((slide, index) => ({
      ...slide,
      stats: names.map((feature, at) => {
        const [own] = slide.stats
        const mean = own!.stat.mean + (Math.floor(index / 4) === at ? 50 : 0)
        return { ...own!, feature, stat: { ...own!.stat, mean } }
      }),
    }))
    const learners = names.map((feature) => ({ ...learner, feature }))
    const reference = learnReference(each, learners, plan, ['a'])!
    // Features 0 and 19 lose slides at an end; all the others span the period without theirs.
    expect(reference.features.map(({ feature }) => feature)).toEqual(names)
    for (const { standard } of reference.features) expect(standard!.mean).toBeCloseTo(0, 0)
  })

  it('freezes rows without those of outlying slides, and waits when too little remains', () => {
    const outlying = (index: number) => (index >= 69 && index < 72 ? 50 : 0)
    const early = (index: number) => (index < 3 ? 50 : 0)
    const { frozen } = learnReference(slides(75, outlying), [learner], plan, ['a'])!.features[0]!
    expect(Math.max(...(frozen['rows'] as number[]))).toBeLessThan(10)
    expect(learnReference(slides(72, early), [learner], plan, ['a'])).toBeNull()
    expect(learnReference(slides(74, early), [learner], plan, ['a'])).toBeNull()
    expect(learnReference(slides(75, early), [learner], plan, ['a'])).not.toBeNull()
  })
})
