/** Runs contestants in turn (A B B A …), so that what the machine does meanwhile falls on all of them alike. */
import { type Command, type Cost, measure } from './child.ts'

export interface Contestant {
  readonly name: string
  /** Made anew for each run: groups and topics of its own. */
  readonly command: () => Command | Promise<Command>
}

export interface Runs {
  readonly name: string
  readonly costs: readonly Cost[]
}

export async function interleave(contestants: readonly Contestant[], rounds: number): Promise<Runs[]> {
  const runs = contestants.map(({ name }) => ({ name, costs: [] as Cost[] }))
  for (let round = 0; round < rounds; round++) {
    const order = contestants.map((_, index) => (round % 2 === 0 ? index : contestants.length - 1 - index))
    for (const index of order) {
      const cost = await measure(await contestants[index]!.command())
      runs[index]!.costs.push(cost)
      console.error(`round ${round + 1}/${rounds}  ${line(contestants[index]!.name, cost)}`)
    }
  }
  return runs
}

export function microseconds({ cpuUs, records }: Cost): number {
  return cpuUs / records
}

function line(name: string, cost: Cost): string {
  const perSecond = Math.round((cost.records / cost.wallMs) * 1_000)
  return `${name}: ${microseconds(cost).toFixed(2)} µs CPU a record, ${perSecond} records/s, ${Math.round(cost.rssMb)} MB`
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/**
 * A table of all contestants. Ratios are of the two runs of one round, side by side, against the first contestant.
 *
 * @returns Markdown
 */
export function table(runs: readonly Runs[]): string {
  const [base] = runs
  const rows = runs.map(({ name, costs }) => {
    const cpu = costs.map(microseconds)
    const perCpuSecond = costs.map((cost) => (cost.records / cost.cpuUs) * 1e6)
    const perSecond = costs.map((cost) => (cost.records / cost.wallMs) * 1_000)
    const ratios = costs.map((cost, round) => microseconds(cost) / microseconds(base!.costs[round]!))
    const both = (values: readonly number[], best: number, digits: number) =>
      `${best.toFixed(digits)} / ${median(values).toFixed(digits)}`
    return [
      name,
      both(cpu, Math.min(...cpu), 2),
      both(ratios, Math.min(...ratios), 2),
      both(perCpuSecond, Math.max(...perCpuSecond), 0),
      both(perSecond, Math.max(...perSecond), 0),
      String(Math.round(Math.max(...costs.map(({ rssMb }) => rssMb)))),
    ]
  })
  const head = ['best / median', 'CPU µs a record', `ratio to ${base!.name}`, 'records a CPU second', 'records/s', 'MB']
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}
