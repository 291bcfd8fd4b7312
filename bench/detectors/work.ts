/**
 * Ours: answers a line of standard input, `{"task": index, "leastMs": CPU time}`, with a line, `{"count", "cpuUs", "answers"}`.
 * It repeats the task from a new state until it has cost that much. `answers` are alarm indices, or a list for each pair.
 */
import { createInterface } from 'node:readline'
import type { Verdict } from '../../stream/contract/verdict.ts'
import { adwin } from '../../stream/detect/detectors/adwin.ts'
import { kolmogorovSmirnov } from '../../stream/detect/detectors/kolmogorov-smirnov.ts'
import { kswin } from '../../stream/detect/detectors/kswin.ts'
import { pageHinkley } from '../../stream/detect/detectors/page-hinkley.ts'
import type { AnyNumericTwoSample, AnySequential } from '../../stream/detect/detectors/registry.ts'
import { wasserstein } from '../../stream/detect/detectors/wasserstein.ts'
import { type SequentialTask, type Task, type TwoSampleTask, tasks } from './tasks.ts'

/** One time through a task: how many updates or tests that was, and what came out. */
type Pass = () => { count: number; answers: unknown }

function sequential(detector: AnySequential, task: SequentialTask): Pass {
  const config = detector.config.parse(task.config)
  const values = Float64Array.from(task.values)
  return () => {
    const state = detector.initial(config)
    const alarms: number[] = []
    for (let i = 0; i < values.length; i++) {
      if (detector.update(state, values[i]!, config).status === 'drift') alarms.push(i)
    }
    return { count: values.length, answers: alarms }
  }
}

function twoSample(detector: AnyNumericTwoSample, task: TwoSampleTask, answer: (verdict: Verdict) => unknown): Pass {
  const config = detector.config.parse(task.config)
  const sample = (values: readonly number[]) => ({ values: Float64Array.from(values), effectiveSize: values.length })
  const pairs = task.pairs.map(({ reference, window }) => ({
    frozen: detector.freeze(sample(reference), config),
    window: sample(window),
  }))
  return () => ({
    count: pairs.length,
    answers: pairs.map(({ frozen, window }) => answer(detector.judge(frozen, window, config))),
  })
}

function passOf(task: Task): Pass {
  switch (task.kind) {
    case 'page-hinkley':
      return sequential(pageHinkley as AnySequential, task)
    case 'adwin':
      return sequential(adwin as AnySequential, task)
    case 'kswin':
      return sequential(kswin as AnySequential, task)
    case 'kolmogorov-smirnov':
      return twoSample(kolmogorovSmirnov as AnyNumericTwoSample, task, ({ statistic, pValue }) => [statistic, pValue])
    case 'wasserstein':
      return twoSample(wasserstein as AnyNumericTwoSample, task, ({ statistic }) => [statistic])
  }
}

const passes = tasks.map(passOf)

for await (const line of createInterface({ input: process.stdin })) {
  const { task, leastMs } = JSON.parse(line) as { task: number; leastMs: number }
  const pass = passes[task]!
  const before = process.cpuUsage()
  let count = 0
  let answers: unknown
  let cpuUs = 0
  do {
    const done = pass()
    count += done.count
    answers = done.answers
    const { user, system } = process.cpuUsage(before)
    cpuUs = user + system
  } while (cpuUs < leastMs * 1_000)
  console.log(JSON.stringify({ count, cpuUs, answers }))
}
