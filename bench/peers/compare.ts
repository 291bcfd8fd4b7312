/** Whether peers close the windows that a plain loop counts: they write them to a file, a line of JSON each. */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Command, measure } from '../harness/child.ts'
import {
  type CountedWindow,
  categoryDifferences,
  Expectation,
  type FoundNumbers,
  numberDifferences,
  type PlainCount,
  refuse,
  sameNames,
} from '../harness/plain-count.ts'
import { defaultLatenessMs } from '../ingest/compare.ts'

/** Peers keep no histogram and leave the prediction out. */
const features = ['amount', 'tenure_days', 'balance', 'ratio']

/** As a peer writes it. */
export interface PeerWindow {
  readonly partition: number
  readonly startMs: number
  readonly entity: string
  readonly rows: number
  readonly numbers: Readonly<Record<string, FoundNumbers>>
  readonly countries: Readonly<Record<string, number>>
}

/**
 * Runs each peer once over the records that were counted.
 *
 * @param given what a peer is told first
 * @throws Error where one differs
 */
export async function comparePeers(
  count: PlainCount,
  peers: Readonly<Record<string, (args: readonly string[]) => Command>>,
  given: readonly string[],
): Promise<void> {
  const expected = count.closed(defaultLatenessMs)
  const folder = await mkdtemp(join(tmpdir(), 'bench-peers-'))
  try {
    for (const [name, command] of Object.entries(peers)) {
      const file = join(folder, name)
      const { outcome } = await measure(command([...given, file]))
      if (outcome?.['rows'] !== count.records)
        throw new Error(`${name} took ${outcome?.['rows']} rows of ${count.records}`)
      const lines = (await readFile(file, 'utf8')).split('\n').filter((line) => line !== '')
      const windows = lines.map((line) => JSON.parse(line) as PeerWindow)
      refuse(name, peerProblems(expected, windows))
      console.log(`${name}: equal: ${windows.length} windows, every one that is closed, of ${count.records} rows`)
    }
  } finally {
    await rm(folder, { recursive: true })
  }
}

/** @returns a line for each difference: windows missing, repeated and too much, and what they hold */
export function peerProblems(
  expected: ReadonlyMap<string, CountedWindow>,
  windows: Iterable<PeerWindow>,
): readonly string[] {
  const expectation = new Expectation(expected)
  for (const found of windows) {
    expectation.take(found, (window) => [
      ...(found.rows === window.rows ? [] : [`has ${found.rows} rows instead of ${window.rows}`]),
      ...sameNames(Object.keys(found.numbers), features),
      ...features.flatMap((name) => numberDifferences(name, found.numbers[name], window.numbers.get(name) ?? [])),
      ...categoryDifferences('country', found.countries, window.categories.get('country') ?? new Map()),
    ])
  }
  return expectation.end()
}
