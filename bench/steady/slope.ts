/** The straight line through a series, and how sure its slope is. */

export interface Slope {
  /** Unit of y for one unit of x. */
  readonly slope: number
  readonly standardError: number
  readonly mean: number
}

/**
 * Least squares. Memory between two collections rises like a saw's tooth, so residuals follow each other: the standard
 * error is the usual one times √((1+ρ)/(1−ρ)), ρ the autocorrelation of residuals at lag 1, where that is above 0.
 *
 * @param points at equal distances of x; at least 3
 */
export function leastSquares(points: readonly (readonly [x: number, y: number])[]): Slope {
  const count = points.length
  if (count < 3) throw new Error(`a slope needs 3 points at least, here are ${count}`)
  const mean = (pick: 0 | 1) => points.reduce((sum, point) => sum + point[pick], 0) / count
  const [meanX, meanY] = [mean(0), mean(1)]
  let xx = 0
  let xy = 0
  for (const [x, y] of points) {
    xx += (x - meanX) ** 2
    xy += (x - meanX) * (y - meanY)
  }
  const slope = xy / xx
  const residuals = points.map(([x, y]) => y - meanY - slope * (x - meanX))
  const squares = residuals.reduce((sum, residual) => sum + residual ** 2, 0)
  const lagged = residuals.slice(1).reduce((sum, residual, index) => sum + residual * residuals[index]!, 0)
  const correlation = squares === 0 ? 0 : Math.min(0.99, Math.max(0, lagged / squares))
  const inflation = Math.sqrt((1 + correlation) / (1 - correlation))
  return { slope, standardError: Math.sqrt(squares / (count - 2) / xx) * inflation, mean: meanY }
}
