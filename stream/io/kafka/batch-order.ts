/**
 * Which offsets each batch of a fetch has. The checksum of a batch does not cover its base offset, and of a damaged one
 * nothing can be taken at its word: what is believed has to fit between the batch before and the batch behind. Damage to
 * one batch is told from damage to its neighbour; where it cannot be, no offset is passed over.
 *
 * It assumes of compaction that it leaves the offsets in the header of a batch as they were, whatever it takes out of it,
 * and that it never takes the last batch of a log: Kafka does not compact the segment that is written to. So some batch
 * ends at the high watermark, and the last one of a fetch that leaves a gap and does not end there is looked at again.
 */
export interface BatchHeader {
  /** Where it lies in the bytes of the fetch: `[start, end)`. */
  readonly start: number
  readonly end: number
  readonly base: number
  readonly count: number
  /** Base and delta: less than the base where the delta is damaged. */
  readonly lastOffset: number
}

/** Offsets of one batch, both included. */
export interface Place {
  readonly first: number
  readonly last: number
  /** Whether they are its own, as its header says. */
  readonly isBelieved: boolean
}

/** What is known of a fetch beside its bytes. */
export interface Bounds {
  /** Offset that was asked for: the first batch holds it, or begins behind it. Null where it is not known. */
  readonly from: number | null
  /** End of the partition as it was before the bytes were read: only a batch that joins others may reach it. Null where it is not known. */
  readonly high: number | null
}

export class BatchOrder {
  readonly #headers: readonly BatchHeader[]
  readonly #tailBase: number | null
  readonly #from: number | null
  readonly #high: number
  /** First offset that no batch has taken yet. */
  #floor: number | null

  /** @param tailBase base offset of what follows the last of the batches, null where that is not known */
  constructor(headers: readonly BatchHeader[], tailBase: number | null, { from, high }: Bounds) {
    this.#headers = headers
    this.#tailBase = tailBase
    this.#from = from
    this.#high = high ?? Number.MAX_SAFE_INTEGER
    this.#floor = from
  }

  /**
   * Whether a batch had better be looked at at the beginning of a fetch, where one behind it can be seen: it is the last
   * of this one, and leaves a gap that nothing bears out.
   */
  isBetterFirst(index: number): boolean {
    const { base, lastOffset } = this.#headers[index]!
    const isLast = index === this.#headers.length - 1 && this.#tailBase === null
    return index > 0 && isLast && base !== this.#floor && lastOffset + 1 !== this.#high
  }

  /**
   * The place of the next batch; each is asked for once, in their order. No two places overlap.
   *
   * @param isSound whether its checksum is right
   */
  take(index: number, isSound: boolean): Place {
    const header = this.#headers[index]!
    const floor = this.#floor ?? Math.max(0, header.base)
    const place = isSound ? this.#placeOfSound(index, floor) : this.#placeOfDamaged(index, floor)
    this.#floor = place.last + 1
    return place
  }

  /** Only its base may be wrong. */
  #placeOfSound(index: number, floor: number): Place {
    const { base, lastOffset } = this.#headers[index]!
    const isFirst = index === 0
    const { isItself, upTo } = this.#blame(index, floor)
    // a fetch may begin within a batch: there the floor bears nothing out
    const isJoined = !isFirst && base === floor
    // the end is that of before the read: what was appended meanwhile came along, and joins what was there
    const holdsFloor = (isFirst ? base >= 0 && base <= floor : isJoined) && lastOffset >= floor
    if ((holdsFloor || this.#fits(index, floor)) && (isJoined || !isItself))
      return { first: base, last: lastOffset, isBelieved: true }
    if (upTo !== null) return { first: floor, last: upTo - 1, isBelieved: false }
    // behind another batch it has its offsets at the floor or later; at the beginning of a fetch it may have begun before
    const certain = isFirst ? floor : Math.max(floor, Math.min(floor + lastOffset - base, this.#high - 1))
    return { first: floor, last: certain, isBelieved: false }
  }

  /**
   * Whether a batch is what is wrong, should it not end before the next one begins. The next one is, where it cannot be
   * there at all, or joins nothing behind it; both are given up where nothing tells them apart.
   *
   * @returns `upTo`: the first offset behind its own, null where that is not known
   */
  #blame(index: number, floor: number): { isItself: boolean; upTo: number | null } {
    const { base, lastOffset } = this.#headers[index]!
    const next = this.#headers[index + 1]
    const nextBase = next?.base ?? this.#tailBase
    const second = next === undefined ? null : (this.#headers[index + 2]?.base ?? this.#tailBase)
    // what was before took the offsets of both
    if (index > 0 && base < floor && (nextBase === floor || second === floor)) return { isItself: true, upTo: floor }
    const upTo = this.#credibleBaseBehind(index, floor)
    if (nextBase === null || lastOffset < nextBase || nextBase < floor || nextBase > this.#high) {
      return { isItself: false, upTo }
    }
    const isNextLoose = second !== null && lastOffset < second && next!.lastOffset + 1 !== second
    if (!isNextLoose) return { isItself: true, upTo }
    return base > floor ? { isItself: true, upTo: second } : { isItself: false, upTo }
  }

  /** Its numbers count where they agree with each other and with what is behind it. */
  #placeOfDamaged(index: number, floor: number): Place {
    const { base, count, lastOffset } = this.#headers[index]!
    const next = this.#credibleBaseBehind(index, floor)
    const end = next ?? this.#high
    const isConsistent = this.#fits(index, floor) && count === lastOffset - base + 1 && lastOffset < end
    const first = base > floor && base < end ? base : floor
    const last = isConsistent ? lastOffset : next === null ? first : next - 1
    return { first, last, isBelieved: false }
  }

  #fits(index: number, floor: number): boolean {
    const { base, lastOffset } = this.#headers[index]!
    const isBehind = index === 0 && this.#from !== null ? lastOffset >= floor : base >= floor
    return base >= 0 && lastOffset >= base && isBehind && lastOffset < this.#high
  }

  /** Null where there is none, or where it is as doubtful itself. */
  #credibleBaseBehind(index: number, floor: number): number | null {
    const base = this.#headers[index + 1]?.base ?? this.#tailBase
    if (base === null || base <= floor || base > this.#high) return null
    const behind = index + 1 < this.#headers.length ? (this.#headers[index + 2]?.base ?? this.#tailBase) : null
    return behind === null || base < behind ? base : null
  }
}
