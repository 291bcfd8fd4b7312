/** Quantiles of what was seen, without interpolation: the least value that so large a share does not pass. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]!
}

/** @returns Markdown, a row for each series */
export function quantileTable(unit: string, series: readonly (readonly [name: string, values: readonly number[]])[]) {
  const head = [unit, 'count', 'p50', 'p95', 'p99', 'max']
  const rows = series.map(([name, values]) => [
    name,
    String(values.length),
    ...[0.5, 0.95, 0.99, 1].map((share) => String(quantile(values, share))),
  ])
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}
