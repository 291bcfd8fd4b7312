/** What a worker says of the positions that it read, from its /metrics. */

const outcomes = ['accepted', 'rejected', 'late', 'skewed'] as const

export type Positions = Readonly<Record<(typeof outcomes)[number] | 'read' | 'held', number>>

/** @param url of the worker's API */
export async function positionsOf(url: string, source: string): Promise<Positions> {
  const response = await fetch(`${url}/metrics`)
  if (!response.ok) throw new Error(`${url}/metrics answered ${response.status}`)
  const lines = (await response.text()).split('\n')
  const sum = (name: string, ...labels: readonly string[]) =>
    lines
      .filter((line) => line.startsWith(`${name}{`) && labels.every((label) => line.includes(label)))
      .reduce((total, line) => total + Number(line.slice(line.lastIndexOf(' ') + 1)), 0)
  const of = `source="${source}"`
  const counted = Object.fromEntries(
    outcomes.map((outcome) => [outcome, sum('sentinel_ingest_positions_total', of, `outcome="${outcome}"`)]),
  ) as Record<(typeof outcomes)[number], number>
  return {
    ...counted,
    read: sum('sentinel_ingest_positions_read_total', of),
    held: sum('sentinel_ingest_held_records', of),
  }
}
