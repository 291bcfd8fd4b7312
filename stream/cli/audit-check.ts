/**
 * Holds the audit on the topic against what the database keeps of it. A chain alone shows what was changed inside it. That
 * its end was cut, that an entry was put in at the end, or that a chain was made up whole, is shown by respond's
 * checkpoints, which hold the end of each chain at an offset of `casefile`, and by the table, which holds each entry again.
 *
 * First the database, then the topic: {@link begin}, {@link takeRow} for each row, {@link beginTopic}, {@link takeRecord}
 * for each record, partition by partition in order, {@link finish}. What is kept is the latest hashes of each chain.
 */
import { ChainFollower, readAuditEntry } from '../contract/audit-chain.ts'
import type { AuditEntry } from '../contract/incident.ts'
import type { LogRecord } from '../contract/stage.ts'
import { reservedTenantPrefix } from '../contract/tenant.ts'
import { partitionOfKey } from '../contract/topics.ts'
import type { AuditRow, ChainEnd, StoredAudit } from '../io/postgres/stored-audit.ts'
import { cleanedText } from '../io/postgres/tables/rows.ts'
import { type Lineage, parseLineage } from '../runtime/lineage.ts'

/** Findings that are told one by one; further ones are counted. */
const problemsMax = 20

export interface AuditTopic {
  /** First offset of each partition of `audit`: above 0 retention, or somebody, removed records. */
  readonly lows: readonly number[]
  /** Ends of the partitions of `casefile`, read after those of `audit`; null where they are not known. */
  readonly casefileEnds: readonly number[] | null
}

export interface AuditFindings {
  /** What does not hold, at most 20; `problemCount` counts all. */
  readonly problems: readonly string[]
  readonly problemCount: number
  readonly entries: number
  readonly tenants: number
  readonly repetitions: number
  /** Ends of chains in checkpoints that were met, on the topic or, once removed from it, in the table. */
  readonly ends: number
  /** Entries made since the checkpoints: nothing holds them but their chain. */
  readonly sinceCheckpoints: number
  readonly rows: number
  /** Entries that the store has not come to yet. */
  readonly notStored: number
}

export class AuditCheck {
  readonly #problems: string[] = []
  #problemCount = 0
  #stored: StoredAudit = { checkpoints: new Map(), storedTo: new Map() }
  #topic: AuditTopic = { lows: [], casefileEnds: null }
  /** Of the checkpoints, by tenant. */
  readonly #ends = new Map<string, ChainEnd>()
  /** Whether there is a database to compare with. */
  #isStored = false
  readonly #table = new ChainFollower()
  readonly #log = new ChainFollower()
  /** Tenants of which something was told: what follows from it is not told again. */
  readonly #broken = new Set<string>()
  /** Tenants whose end of the table, and of the checkpoint, was met on the topic. */
  readonly #tableMet = new Set<string>()
  readonly #endMet = new Set<string>()
  /** Tenants whose end of the checkpoint is in the table. */
  readonly #endInTable = new Set<string>()
  #entries = 0
  #repetitions = 0
  #since = 0
  #rows = 0
  #notStored = 0

  begin(stored: StoredAudit): void {
    this.#stored = stored
    this.#isStored = true
    for (const { ends } of stored.checkpoints.values()) for (const [tenant, end] of ends) this.#ends.set(tenant, end)
  }

  takeRow(row: AuditRow): void {
    this.#rows++
    const { tenant, sequence } = row
    const entry = readAuditEntry(Buffer.from(row.text))
    if (entry === null || !isRowOf(row, entry)) {
      this.#tell(tenant, `the table's row ${row.id} (${tenant} ${sequence}) is not the entry that respond wrote`)
      return
    }
    if (this.#broken.has(entry.tenant)) return
    const taken = this.#table.take(entry)
    if (taken !== 'next') {
      this.#tell(entry.tenant, `the table's chain of ${tenant} breaks at entry ${sequence} (${taken})`)
      return
    }
    const end = this.#ends.get(entry.tenant)
    if (end === undefined || sequence !== end.sequence - 1) return
    if (entry.hash === end.hash) this.#endInTable.add(entry.tenant)
    else
      this.#tell(
        entry.tenant,
        `the table's entry ${sequence} of ${tenant} is not the one that the checkpoint ends with`,
      )
  }

  beginTopic(topic: AuditTopic): void {
    this.#topic = topic
  }

  takeRecord({ partition, offset, value, headers }: LogRecord): void {
    this.#entries++
    const entry = readAuditEntry(value)
    const lineage = parseLineage(headers['sentinel_lineage'])
    const at = `at ${partition}/${offset}`
    if (entry === null) {
      this.#tell(null, `the record ${at} is no entry of the audit`)
      return
    }
    const { tenant, sequence } = entry
    const foreign = this.#foreign(entry, lineage, partition)
    if (foreign !== null) {
      this.#tell(null, `entry ${sequence} of ${tenant} ${at} ${foreign}`)
      return
    }
    if (this.#broken.has(tenant)) return
    const taken = this.#log.take(entry, { believeFirst: (this.#topic.lows[partition] ?? 0) > 0 })
    if (taken === 'repetition') {
      this.#repetitions++
      return
    }
    if (taken !== 'next') {
      this.#tell(
        tenant,
        `the chain of ${tenant} breaks at entry ${sequence} ${at} (${taken}): it, or the one before it, was changed or put in, or entries are missing between them`,
      )
      return
    }
    this.#holdAgainstCheckpoint(entry, lineage!, { partition, at })
    this.#holdAgainstTable(entry, { partition, offset, at })
  }

  finish(): AuditFindings {
    let ends = 0
    for (const [tenant, end] of this.#ends) {
      if (this.#isEndThere(tenant, end)) ends++
      else if (!this.#broken.has(tenant)) {
        const found = this.#log.chain(tenant)?.next ?? 0
        this.#tell(
          tenant,
          `the topic has ${found} entries of ${tenant}, respond had made ${end.sequence} when it stored its checkpoint: entries are missing at the end`,
        )
      }
    }
    for (const tenant of this.#table.tenants) this.#lookForRest(tenant)
    return {
      problems: this.#problems,
      problemCount: this.#problemCount,
      entries: this.#entries,
      tenants: this.#log.tenants.length,
      repetitions: this.#repetitions,
      ends,
      sinceCheckpoints: this.#since,
      rows: this.#rows,
      notStored: this.#notStored,
    }
  }

  /** Why respond cannot have written an entry there; null where it can. */
  #foreign({ tenant }: AuditEntry, lineage: Lineage | null, partition: number): string | null {
    if (lineage === null || lineage.writer !== `respond/${partition}`) {
      return `does not say that respond/${partition} wrote it`
    }
    const { casefileEnds } = this.#topic
    if (casefileEnds === null) return null
    if (lineage.inputOffset >= (casefileEnds[partition] ?? 0)) {
      return `names offset ${lineage.inputOffset} of casefile, which is not there`
    }
    return partitionOf(tenant, casefileEnds.length) === partition ? null : 'is not where its tenant belongs'
  }

  #holdAgainstCheckpoint(
    { tenant, sequence, hash }: AuditEntry,
    { inputOffset }: Lineage,
    { partition, at }: { partition: number; at: string },
  ): void {
    const checkpoint = this.#stored.checkpoints.get(partition)
    const end = checkpoint?.ends.get(tenant)
    if (end !== undefined && sequence === end.sequence - 1) {
      if (hash === end.hash) this.#endMet.add(tenant)
      else this.#tell(tenant, `entry ${sequence} of ${tenant} ${at} is not the one that the checkpoint ends with`)
    }
    if (sequence < (end?.sequence ?? 0)) return
    this.#since++
    if (checkpoint === undefined || inputOffset >= checkpoint.offset) return
    this.#tell(
      tenant,
      `entry ${sequence} of ${tenant} ${at} was put in: respond had made ${end?.sequence ?? 0} entries of ${tenant} when it stored its checkpoint at casefile offset ${checkpoint.offset}`,
    )
  }

  #holdAgainstTable(
    entry: AuditEntry,
    { partition, offset, at }: { partition: number; offset: number; at: string },
  ): void {
    if (!this.#isStored) return
    const { tenant, sequence, hash } = entry
    const stored = this.#table.chain(tenant)
    const next = stored?.next ?? 0
    if (sequence === next - 1) {
      if (hash === stored!.hash) this.#tableMet.add(tenant)
      else this.#tell(tenant, `entry ${sequence} of ${tenant} ${at} differs from the table's`)
    }
    if (sequence < next) return
    if (offset >= (this.#stored.storedTo.get(partition) ?? 0)) this.#notStored++
    else this.#tell(tenant, `entry ${sequence} of ${tenant} ${at} is missing in the table`)
  }

  /** A chain of the table that goes on where the topic's has ended. */
  #lookForRest(tenant: string): void {
    const { next } = this.#table.chain(tenant)!
    if (this.#tableMet.has(tenant) || this.#broken.has(tenant) || this.#isRemoved(tenant, next - 1)) return
    const found = this.#log.chain(tenant)?.next ?? 0
    this.#tell(
      tenant,
      `the table has ${next} entries of ${tenant}, the topic ${found}: they are missing there, or were put in here`,
    )
  }

  #isEndThere(tenant: string, { sequence }: ChainEnd): boolean {
    if (this.#endMet.has(tenant)) return true
    return this.#isRemoved(tenant, sequence - 1) && this.#endInTable.has(tenant)
  }

  /** Whether retention, or somebody, removed that entry from the beginning of its partition. */
  #isRemoved(tenant: string, sequence: number): boolean {
    const count = this.#topic.casefileEnds?.length ?? this.#topic.lows.length
    const low = count === 0 ? 0 : (this.#topic.lows[partitionOf(tenant, count)] ?? 0)
    return low > 0 && sequence < (this.#log.chain(tenant)?.first ?? Number.POSITIVE_INFINITY)
  }

  #tell(tenant: string | null, problem: string): void {
    if (tenant !== null) this.#broken.add(tenant)
    this.#problemCount++
    if (this.#problems.length < problemsMax) this.#problems.push(problem)
  }
}

/** Where the chain of a tenant is: respond's own are numbered, see `ownTenant` in respond/audit.ts. */
function partitionOf(tenant: string, count: number): number {
  const own = tenant.startsWith(reservedTenantPrefix) ? tenant.slice(reservedTenantPrefix.length) : ''
  return /^\d{1,5}$/.test(own) ? Number(own) : partitionOfKey(tenant, count)
}

/** Whether the columns of a row say what its record says: the API reads some of them. */
function isRowOf(row: AuditRow, entry: AuditEntry): boolean {
  const { id, tenant, sequence, event, incidentId } = entry
  return (
    row.id === id &&
    row.tenant === cleanedText(tenant) &&
    row.sequence === sequence &&
    row.timeMs === entry.timeMs &&
    row.event === cleanedText(event) &&
    row.incidentId === incidentId
  )
}
