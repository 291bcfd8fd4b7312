/**
 * Places at which a test may end, stop or fail the process. In production nobody listens: a call of nothing.
 * Each lies beside an effect that the outside sees, so that a crash before it and one after it differ.
 */
import type { StageName } from '../../topology.ts'

const everyStage = ['join/before', 'join/after', 'recover/before', 'recover/after', 'commit/before', 'commit/after']
const sending = ['send/before', 'send/after', 'fold']
const storing = ['checkpoint/before', 'checkpoint/within', 'checkpoint/after']
const idle = ['idle/before', 'idle/declared', 'idle/sent', 'idle/committed']

/** Those of join are not among them: what is run against them reads no labels. */
const byStage: Readonly<Record<Exclude<StageName, 'join'>, readonly string[]>> = {
  ingest: [...everyStage, ...sending, ...idle],
  detect: [...everyStage, ...sending, ...storing],
  respond: [...everyStage, ...sending, ...storing],
  store: [...everyStage, 'write/before', 'write/within', 'write/after'],
}

/** `<stage>/<what>/<when>`, all there are. */
export const failpointNames: readonly string[] = Object.entries(byStage).flatMap(([stage, points]) =>
  points.map((point) => `${stage}/${point}`),
)

/** Called at a named place; may throw where a handler works (not while joining or recovering), or never come back. */
export type Failpoint = (name: string) => void

/** The points of one stage; absent where nobody listens. */
export function failpointOf(stage: StageName, failpoint: Failpoint | undefined): Failpoint | undefined {
  return failpoint === undefined ? undefined : (point) => failpoint(`${stage}/${point}`)
}
