/**
 * What a commit says beside its offset, so that reading again from there gives the same panes. Compact JSON, because
 * people read it with the broker's own tools.
 */
import type { IdleDeclaration } from '../contract/stage.ts'
import { invariant, SentinelError } from '../errors.ts'

/** Kafka's default limit of `offset.metadata.max.bytes`. */
export const METADATA_LENGTH_MAX = 4096
/** Room that {@link withReached} may take of it. */
const REACHED_LENGTH_MAX = 32
/** Raises between the commit and the position: as many as the metadata holds with ease. */
export const RAISES_MAX = 32

export interface CommitMetadata {
  /** Digest of the source's configuration: panes cut by another cannot be taken up. */
  readonly digest: string
  /** First offset not folded yet. From the commit's offset up to here records are read again. */
  readonly position: number
  /** The clock at `position`: highest accepted event time. The watermark is this minus the lateness. */
  readonly clockMs: number | null
  /** The clock just before the commit's offset, with no candidate held. */
  readonly clockBeforeMs: number | null
  /** Idle declarations applied after the commit's offset and up to `position`, in their order. */
  readonly raises: readonly IdleDeclaration[]
  /** Declared, perhaps not yet applied. */
  readonly pendingIdle: IdleDeclaration | null
  /** Whether the source's `source-joined` may be taken as sent. */
  readonly joined: boolean
}

/** @throws SentinelError INVARIANT_BROKEN when it would be longer than a broker takes */
export function encodeMetadata(metadata: CommitMetadata): string {
  const { digest, position, clockMs, clockBeforeMs, raises, pendingIdle, joined } = metadata
  const text = JSON.stringify({
    version: 1,
    digest,
    position,
    clockMs,
    clockBeforeMs,
    raises: raises.map(pairOf),
    ...(pendingIdle === null ? {} : { pendingIdle: pairOf(pendingIdle) }),
    ...(joined ? {} : { joined }),
  })
  invariant(
    text.length <= METADATA_LENGTH_MAX - REACHED_LENGTH_MAX,
    `metadata of ${text.length} characters: a broker takes 4,096`,
  )
  return text
}

function pairOf(raise: IdleDeclaration): [number, number] {
  return [raise.position, raise.watermarkMs]
}

/**
 * Reads what {@link encodeMetadata} wrote.
 *
 * @param expected.digest of the configuration that runs now; `where` names the partition for the message
 * @throws SentinelError CONFIGURATION_CHANGED for another digest, INVARIANT_BROKEN for what cannot be read
 */
export function decodeMetadata(
  text: string,
  expected: { digest: string; offset: number; where: string },
): CommitMetadata {
  const { digest, offset, where } = expected
  const metadata = readMetadata(text)
  if (metadata === null || metadata.position < offset) {
    throw new SentinelError(
      'INVARIANT_BROKEN',
      `the commit of ${where} at offset ${offset} was not written by this program (its metadata cannot be read: ` +
        `${JSON.stringify(text.slice(0, 80))}), so its open panes cannot be rebuilt. Was the group's offset set by hand? ` +
        'Commit an offset that this program wrote, or begin anew under another topics.prefix and database.schema.',
    )
  }
  if (metadata.digest !== digest) {
    throw new SentinelError(
      'CONFIGURATION_CHANGED',
      `the panes of ${where} were cut under configuration ${metadata.digest}, now it is ${digest}. Run with the former ` +
        'settings of this source (format, tenant, pane, lateness, partitioning, maxEntities, maxCells, skewAgreement, ' +
        'maxAhead), or begin anew under another topics.prefix and database.schema.',
    )
  }
  return metadata
}

function isOffset(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function isTime(value: unknown): value is number | null {
  return value === null || Number.isSafeInteger(value)
}

function raiseOf(value: unknown): IdleDeclaration | null {
  if (!Array.isArray(value) || value.length !== 2) return null
  const [position, watermarkMs] = value as unknown[]
  return isOffset(position) && Number.isSafeInteger(watermarkMs)
    ? { position, watermarkMs: watermarkMs as number }
    : null
}

/** What a commit says, whatever configuration it was made under; null for what this program did not write. */
export function readMetadata(text: string): CommitMetadata | null {
  let json: Record<string, unknown> | null
  try {
    json = JSON.parse(text) as Record<string, unknown> | null
  } catch {
    return null
  }
  if (typeof json !== 'object' || json === null || json['version'] !== 1 || !Array.isArray(json['raises'])) return null
  const { digest, position, clockMs, clockBeforeMs, pendingIdle } = json
  if (typeof digest !== 'string' || !isOffset(position) || !isTime(clockMs) || !isTime(clockBeforeMs)) return null
  const raises: IdleDeclaration[] = []
  for (const value of json['raises']) {
    const raise = raiseOf(value)
    if (raise === null) return null
    raises.push(raise)
  }
  const pending = pendingIdle === undefined ? null : raiseOf(pendingIdle)
  if (pending === null && pendingIdle !== undefined) return null
  return { digest, position, clockMs, clockBeforeMs, raises, pendingIdle: pending, joined: json['joined'] !== false }
}

/**
 * The same metadata, saying too how far the log was read: beyond the position where only offsets without records came
 * (markers of transactions, what compaction removed). Other processes tell by it that nothing is left to read.
 */
export function withReached(text: string, reached: number): string {
  const metadata = readMetadata(text)
  if (metadata === null || reached <= metadata.position) return text
  return JSON.stringify({ ...(JSON.parse(text) as object), reached })
}

/** Up to where a commit says that the log was read, `fallback` for one that this program did not write. */
export function reachedOf(text: string, fallback: number): number {
  const position = positionOf(text)
  if (position === null) return fallback
  const { reached } = JSON.parse(text) as { reached?: unknown }
  return isOffset(reached) ? Math.max(position, reached) : position
}

/** @returns the position that a commit's metadata names; null where it is none of ours */
export function positionOf(text: string): number | null {
  return readMetadata(text)?.position ?? null
}
