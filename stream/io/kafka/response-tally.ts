import { BATCH_BYTES_MAX } from './codecs.ts'

/**
 * Records of one response, read or refused: each takes about a microsecond and 100 bytes of memory. A single batch of more
 * is refused as a whole, by one record, since a batch is taken apart in one go, between two heartbeats.
 */
export const RECORDS_MAX = 500_000
/** Work between two turns of the event loop, where batches end: about ten milliseconds of it. */
const RECORDS_A_TURN = 10_000
const BYTES_A_TURN = 8 * 1024 * 1024

/**
 * What the batches of one response came to so far, over all of its partitions: at most {@link RECORDS_MAX} records, and
 * less than twice {@link BATCH_BYTES_MAX} of decompressed bytes. What it has no room for waits for the next one.
 */
export class ResponseTally {
  /** Of those that were compressed, when they were not any more. */
  bytes = 0
  records = 0
  #turned = { bytes: 0, records: 0 }

  /** Whether one more compressed batch may be taken: it may go beyond the bound by all that a batch may decompress to. */
  get hasRoomForBytes(): boolean {
    return this.bytes < BATCH_BYTES_MAX
  }

  /** Whether so many more records may be taken. No batch gives more than the bound, so the first of a response is taken. */
  hasRoomFor(records: number): boolean {
    return this.records + records <= RECORDS_MAX
  }

  /** Lets the event loop turn (heartbeats, signals, HTTP) where enough was done since it last did. */
  async turn(): Promise<void> {
    const { bytes, records } = this
    if (records - this.#turned.records < RECORDS_A_TURN && bytes - this.#turned.bytes < BYTES_A_TURN) return
    this.#turned = { bytes, records }
    await new Promise(setImmediate)
  }
}
