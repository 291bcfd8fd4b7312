/**
 * How much may stand twice on a topic that is written once. Who was stopped beyond its session sends, when it goes on, the
 * outbox that it had in hand, and asks its group before the next one; so does who waits for an answer that was swallowed,
 * once for each. An outbox goes to a partition in one piece, so each stop and each lost answer explains one stretch of
 * repeated records without a gap in a partition, no longer than an outbox. Where there was neither, nothing is explained.
 */
import { outboxMax } from '../../stream/io/kafka/fold.ts'
import type { Repetition } from './verdict.ts'

/** Answers that one change of the weather swallows at most (`weather.ts`), all of one partition in the worst case. */
const answersLostMax = 5

/**
 * @param repeated in the order of offsets within each partition
 * @param causes.stopped processes stopped beyond their session (count)
 * @param causes.blown changes of the weather that answers of the broker may have been lost in (count)
 * @returns a line for each partition in which more stands twice than these explain
 */
export function tooOftenRepeated(
  repeated: readonly Repetition[],
  { stopped, blown }: { readonly stopped: number; readonly blown: number },
): string[] {
  const stretchesMax = stopped + blown * answersLostMax
  return [...stretches(repeated)].flatMap(([at, lengths]) => {
    const longest = Math.max(...lengths)
    if (lengths.length <= stretchesMax && longest <= outboxMax) return []
    const first = repeated.find((one) => one.at === at)!.key
    return [
      `${at}: written twice: ${lengths.length} stretches, the longest of ${longest} records, from ${first}; ${stopped} stops and ${blown} changes of the weather explain ${stretchesMax} of up to ${outboxMax}`,
    ]
  })
}

/** By partition: the lengths of stretches without a gap between offsets. */
function stretches(repeated: readonly Repetition[]): Map<string, number[]> {
  const lengths = new Map<string, number[]>()
  const last = new Map<string, number>()
  for (const { at, offset } of repeated) {
    const list = lengths.get(at) ?? []
    lengths.set(at, list)
    if (last.get(at) === offset - 1) list[list.length - 1]!++
    else list.push(1)
    last.set(at, offset)
  }
  return lengths
}
