/** What a worker does at its failpoints: the parent plans it, the child follows and says so. */
import { writeSync } from 'node:fs'
import type { Failpoint } from '../../stream/io/kafka/failpoint.ts'

/** `kill`: SIGKILL to itself; `stop`: SIGSTOP, until the parent lets it go on; `throw`: the step fails. */
export type Act = 'kill' | 'stop' | 'throw'

export interface PlannedHit {
  readonly point: string
  /** The how manieth time that the point is reached, counting from 1. */
  readonly nth: number
  readonly act: Act
}

/** A line that the parent reads even when the process dies right after it. */
export function say(line: string): void {
  writeSync(1, `${line}\n`)
}

export function failpointFor(planned: readonly PlannedHit[]): Failpoint | undefined {
  if (planned.length === 0) return undefined
  const counts = new Map<string, number>()
  return (point) => {
    const nth = (counts.get(point) ?? 0) + 1
    counts.set(point, nth)
    const hit = planned.find((candidate) => candidate.point === point && candidate.nth === nth)
    if (hit === undefined) return
    say(`hit ${point} ${hit.act}`)
    if (hit.act === 'throw') throw new Error(`a failure was injected at ${point}`)
    process.kill(process.pid, hit.act === 'kill' ? 'SIGKILL' : 'SIGSTOP')
    // the signal reaches this thread when it next enters the kernel: no effect may slip out before
    if (hit.act === 'kill') for (;;) writeSync(1, '')
    else writeSync(1, 'on again\n')
  }
}

/** Where a throw is a failed step: what joins and recovers has nobody who catches. */
export function mayThrowAt(point: string): boolean {
  return !/\/(join|recover)\//.test(point)
}
