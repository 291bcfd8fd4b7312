/** Services that fail at known moments, their log lines, and when each failure could be known at the earliest. */
import type { Incident } from '../../stream/contract/incident.ts'
import { createRandom } from '../../stream/simulate/random.ts'

export interface BreaksOptions {
  readonly entities: number
  readonly partitions: number
  readonly paneMs: number
  readonly latenessMs: number
  /** Panes before the first failure: what is usual has to be learned. */
  readonly leadPanes: number
}

const brokenPanes = 5
/** Panes from one failure to the next: an incident's onset is not the next one's. */
export const apartPanes = 2
const usualErrorRate = 0.01
const brokenErrorRate = 0.7

export class Breaks {
  private readonly options: BreaksOptions
  private readonly random = createRandom(1, 0)
  private firstPaneMs: number | null = null
  /** By a pane's end: index of the first record at or past it by the lateness. */
  private readonly passedBy = new Map<number, number>()
  private readonly sends: { first: number; next: number; sentMs: number }[] = []

  constructor(options: BreaksOptions) {
    this.options = options
  }

  /** The line of an index, in partition `index % partitions`: one in each partition of a service, then the next service. */
  line(index: number, timeMs: number): string {
    const { entities, partitions, paneMs, latenessMs } = this.options
    this.firstPaneMs ??= Math.floor(timeMs / paneMs) * paneMs
    const passedMs = Math.floor((timeMs - latenessMs) / paneMs) * paneMs
    if (!this.passedBy.has(passedMs)) this.passedBy.set(passedMs, index)
    const entity = Math.floor(index / partitions) % entities
    const brokenForMs = timeMs - this.brokenAtMs(entity)
    const isBroken = brokenForMs >= 0 && brokenForMs < brokenPanes * paneMs
    const failed = this.random.uniform() < (isBroken ? brokenErrorRate : usualErrorRate)
    return JSON.stringify({
      '@timestamp': new Date(timeMs).toISOString(),
      level: failed ? 'error' : 'info',
      service: serviceName(entity),
      host: `node-${index % 16}.eu-central.internal`,
      message: failed ? 'upstream connect error or disconnect before headers' : 'request completed',
      status_code: failed ? 503 : 200,
      duration_ms: Math.round(1_000 * 40 * Math.exp(0.4 * this.random.normal())) / 1_000,
    })
  }

  sent(send: { readonly first: number; readonly next: number; readonly sentMs: number }): void {
    this.sends.push(send)
  }

  /** Wall time just before the send by which the last partition passed a pane's end by the lateness. */
  knowableMs(paneEndMs: number): number {
    const last = this.passedBy.get(paneEndMs)! + this.options.partitions - 1
    return this.sends.find(({ first, next }) => first <= last && last < next)!.sentMs
  }

  /** @returns a line for the report @throws where incidents are not those of the failures, at the ends of their first panes */
  compare(incidents: readonly Incident[]): string {
    const { entities, paneMs } = this.options
    const found = incidents.map(({ cause, openedMs }) => `${cause.entity} at ${openedMs}`).sort()
    const expected = Array.from({ length: entities }, (_, entity) => {
      return `service:${serviceName(entity)} at ${this.brokenAtMs(entity) + paneMs}`
    }).sort()
    const missing = expected.filter((one) => !found.includes(one))
    const foreign = found.filter((one) => !expected.includes(one))
    if (missing.length + foreign.length > 0 || found.length !== expected.length) {
      const some = (list: readonly string[]) => `${list.length} (${list.slice(0, 5).join(', ')})`
      throw new Error(`incidents that should be there and are not: ${some(missing)}; not expected: ${some(foreign)}`)
    }
    return `equal: ${found.length} failures, ${found.length} incidents, each at the end of its first pane`
  }

  private brokenAtMs(entity: number): number {
    const { leadPanes, paneMs } = this.options
    return this.firstPaneMs! + (leadPanes + apartPanes * entity) * paneMs
  }
}

function serviceName(entity: number): string {
  return `service-${String(entity).padStart(4, '0')}`
}
