/** Shapes that several files of vectors share. */
import { streams } from '../vectors.ts'

export interface NumericCase {
  name: string
  reference: number[]
  window: number[]
  statistic: number
}

export interface CategoricalCase {
  name: string
  config: object
  reference: Record<string, number>
  window: Record<string, number>
  statistic: number
  pValue: number
}

export interface SequentialCase<Config> {
  stream: string
  config: Partial<Config>
  alarms: number[]
}

/** Errors (1) and right answers (0): given, or a shared stream, of which what is above 0 is an error. */
export interface ErrorCase<Config> extends SequentialCase<Config> {
  values?: number[]
  warnings: number
}

export function valuesOf({ stream, values }: { stream: string; values?: number[] }): number[] {
  return values ?? streams[stream]!
}

export interface LevelCase {
  /** Ascending. */
  baseline: number[]
  autocorrelation: number
  level: number
  statistic: number
  pValue: Record<'both' | 'up' | 'down', number>
  oraclePValue: number
}
