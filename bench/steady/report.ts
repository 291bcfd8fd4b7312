/** What the samples of a steady run come to. */
import { leastSquares } from './slope.ts'

export interface Sample {
  /** Since the load began. */
  readonly atMs: number
  readonly rssMb: number
  readonly heapMb: number
  /** Buffers and typed arrays outside the heap. */
  readonly externalMb: number
  readonly cpuSeconds: number
  readonly records: number
  /** Records between positions and the ends of logs, over all stages. */
  readonly lag: number
}

const hourMs = 3_600_000
const minuteMs = 60_000

/** @returns Markdown: slopes of memory after the warm-up, and CPU for a record by quarters of what is left */
export function report(samples: readonly Sample[], warmUpMs: number): string {
  const kept = samples.filter(({ atMs }) => atMs >= warmUpMs)
  const series: readonly (readonly [name: string, of: readonly Sample[], member: 'rssMb' | 'heapMb' | 'externalMb'])[] =
    [
      ['resident', kept, 'rssMb'],
      ['heap', kept, 'heapMb'],
      ['heap, least of each minute', leastOfMinutes(kept), 'heapMb'],
      ['outside the heap', kept, 'externalMb'],
    ]
  // a short run has too few minutes for a line through them
  const rows = series.flatMap(([name, of, member]) => {
    if (of.length < 3) return []
    const { slope, standardError, mean } = leastSquares(of.map((sample) => [sample.atMs / hourMs, sample[member]]))
    const first = of[0]![member]
    const last = of.at(-1)![member]
    return [[name, slope.toFixed(1), standardError.toFixed(1), ...[mean, first, last].map((mb) => mb.toFixed(0))]]
  })
  const memory = [['memory', 'MB an hour', '± standard error', 'mean MB', 'first', 'last'], ...rows]
  const quarters = [0, 1, 2, 3].map((quarter) => {
    const part = kept.slice(Math.floor((quarter * kept.length) / 4), Math.floor(((quarter + 1) * kept.length) / 4) + 1)
    const [first, last] = [part[0]!, part.at(-1)!]
    const records = last.records - first.records
    const cpuUs = ((last.cpuSeconds - first.cpuSeconds) * 1e6) / records
    const perSecond = (records / (last.atMs - first.atMs)) * 1_000
    const lag = Math.max(...part.map((sample) => sample.lag))
    return [`${quarter + 1}/4`, cpuUs.toFixed(1), perSecond.toFixed(0), String(lag)]
  })
  const cost = [['quarter', 'CPU µs a record', 'records/s', 'most records behind'], ...quarters]
  return [
    `after ${Number((warmUpMs / minuteMs).toFixed(1))} min of warm-up, ${kept.length} samples`,
    table(memory),
    table(cost),
  ].join('\n\n')
}

/** The sample with the least heap of each minute, at the minute's middle. */
function leastOfMinutes(samples: readonly Sample[]): Sample[] {
  const least = new Map<number, Sample>()
  for (const sample of samples) {
    const minute = Math.floor(sample.atMs / minuteMs)
    const known = least.get(minute)
    if (known === undefined || sample.heapMb < known.heapMb)
      least.set(minute, { ...sample, atMs: (minute + 0.5) * minuteMs })
  }
  return [...least.values()]
}

function table([head, ...rows]: readonly (readonly string[])[]): string {
  return [head!, head!.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}
