import type { Scale } from './merge.ts'

/** Durations are skewed, and their spread follows their level: judged as logarithms. */
export function scaleOf(feature: string): Scale {
  return feature === 'duration_ms' ? 'log' : 'identity'
}
