/**
 * Makes a pane's record fit a message. Nearly every pane does, by an estimate that costs no encoding; one that does not
 * gives up detail in a fixed order, so that the same pane always gives the same bytes.
 */

import { CATEGORIES_MAX } from '../contract/categories.ts'
import { canonicalJson } from '../contract/encoding.ts'
import type { Pane } from '../contract/pane.ts'
import { FEATURES_MAX, type PaneBuilder, type PaneDetail, type PaneIdentity } from './pane.ts'
import { SAMPLE_ROWS_MAX } from './sample.ts'

/** Bytes of an encoded pane: a broker takes 1 MiB by default, with headers and the batch's own bytes. */
export const PANE_BYTES_MAX = 900_000

const FULL: PaneDetail = {
  sampleRows: SAMPLE_ROWS_MAX,
  categories: CATEGORIES_MAX,
  coarseBits: 0,
  features: FEATURES_MAX,
}

/**
 * What is given up, in this order: rows of the sample (its threshold falls), rare categories (they go to `other`),
 * precision of histograms (1 % becomes 3 %, 6 %), then the rest of all three, at last whole features.
 */
function* details(): Generator<PaneDetail> {
  for (const sampleRows of [32, 16, 8]) yield { ...FULL, sampleRows }
  for (const categories of [500, 250, 100, 50]) yield { ...FULL, sampleRows: 8, categories }
  for (const coarseBits of [1, 2, 3]) yield { ...FULL, sampleRows: 8, categories: 50, coarseBits }
  const least = { sampleRows: 0, categories: 0, coarseBits: 6 }
  for (let features = FEATURES_MAX; features >= 1; features /= 2) yield { ...least, features }
  yield { ...least, features: 0 }
}

/** Upper bounds of what JSON makes of a code unit and of a number with its punctuation. */
const BYTES_A_UNIT = 6
const BYTES_A_NUMBER = 27

/**
 * The record of a closed pane, in full where it fits {@link PANE_BYTES_MAX}.
 *
 * @param bytesMax smaller only in tests
 */
export function fitPane(builder: PaneBuilder, identity: PaneIdentity, bytesMax = PANE_BYTES_MAX): Pane {
  const { units, numbers } = builder.extent()
  const full = builder.toRecord(identity, FULL)
  if (units * BYTES_A_UNIT + numbers * BYTES_A_NUMBER + 10_000 <= bytesMax) return full
  if (bytesOf(full) <= bytesMax) return full
  let pane = full
  for (const detail of details()) {
    pane = builder.toRecord(identity, detail)
    if (bytesOf(pane) <= bytesMax) break
  }
  return pane
}

function bytesOf(pane: Pane): number {
  return Buffer.byteLength(canonicalJson(pane))
}
