/**
 * What a record of `casefile` says, or why it says nothing: anyone with access to the topic could have written it. What
 * detect sends has to name the task that sent it; what concerns a tenant has to be in the tenant's own partition, or one
 * tenant would have two chains of audit.
 */
import { type CasefileRecord, casefileRecord } from '../contract/case.ts'
import { decodeJson } from '../contract/encoding.ts'
import type { LogRecord } from '../contract/stage.ts'
import { isReservedTenant } from '../contract/tenant.ts'
import { taskOfLineage } from './order.ts'

export type ReadCasefile =
  | { readonly body: CasefileRecord; readonly task: number | null }
  | { readonly ignored: string }

/** @param owns whether records of a tenant belong into this partition */
export function readCasefileRecord(record: LogRecord, owns: (tenant: string) => boolean): ReadCasefile {
  if (record.value === null) return { ignored: 'it is empty' }
  let value: unknown
  try {
    value = decodeJson(record.value)
  } catch {
    return { ignored: 'it is no JSON' }
  }
  const parsed = casefileRecord.safeParse(value)
  if (!parsed.success) {
    const issue = parsed.error.issues[0]
    const path = issue?.path.join('.') ?? ''
    return { ignored: `it has not the form of a record: ${path} ${issue?.code ?? ''}`.slice(0, 500) }
  }
  const body = parsed.data
  const task = taskOfLineage(record.headers['sentinel_lineage'])
  if (body.type === 'finding' && task === null) return { ignored: 'a finding that no detect task sent' }
  if (body.type === 'task-watermark' && task !== body.task) {
    return { ignored: `a watermark of detect task ${body.task} that it did not send` }
  }
  // the chain of such a name is the partition's own, and holds what belongs to no tenant
  if ('tenant' in body && isReservedTenant(body.tenant)) {
    return { ignored: `a ${body.type} of a tenant whose name is kept for our own audit` }
  }
  if ('tenant' in body && !owns(body.tenant)) {
    return { ignored: `a ${body.type} of a tenant whose records belong into another partition` }
  }
  return { body, task }
}
