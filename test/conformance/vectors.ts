/** The numbers that `make_fixtures.py` wrote. */
import { readFileSync } from 'node:fs'

function pathOf(name: string): URL {
  return new URL(`./vectors/${name}.json`, import.meta.url)
}

/** The caller names the shape: the script beside this file is its only writer. */
export function vectors<Shape>(name: string): Shape {
  return JSON.parse(readFileSync(pathOf(name), 'utf8')) as Shape
}

/** |actual - expected| as a share of the expected one; 0 when both are equal, zero included. */
export function relativeError(actual: number, expected: number): number {
  return actual === expected ? 0 : Math.abs(actual - expected) / Math.abs(expected)
}

/** Series that several detectors follow. */
export const streams = vectors<Record<string, number[]>>('streams')
