/** Reads topics by KafkaJS's own decoder, in a process of its own: what ours passes over is not passed over here. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { LogRecord } from '../../stream/contract/stage.ts'
import { root } from './worker-process.ts'

/** One partition of a topic, whole: offsets `[low, high)`, and the records that there are, in their order. */
export interface StockPartition {
  readonly topic: string
  readonly partition: number
  readonly low: number
  readonly high: number
  readonly records: readonly LogRecord[]
}

/** A broker may be away meanwhile, and come back. */
const silentMs = 120_000
const errorsMax = 2_000

/**
 * @param options.groupId a group that only this reads by
 * @returns all partitions of the topics, in the order of the topics
 * @throws when nothing comes for two minutes, or a topic cannot be read
 */
export async function readStock(options: {
  readonly brokers: readonly string[]
  readonly groupId: string
  readonly topics: readonly string[]
}): Promise<StockPartition[]> {
  const { brokers, groupId, topics } = options
  const args = ['--import', 'tsx', join(import.meta.dirname, 'stock-log.ts'), brokers.join(','), groupId, ...topics]
  const env = { PATH: process.env['PATH'], HOME: process.env['HOME'], NODE_ENV: 'production' }
  const child = spawn(process.execPath, args, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] })
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors = `${errors}${text}`.slice(-errorsMax)
  })
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
  const late = setTimeout(() => child.kill('SIGKILL'), silentMs)
  const lines: string[] = []
  for await (const line of createInterface({ input: child.stdout })) {
    late.refresh()
    lines.push(line)
  }
  const code = await ended
  clearTimeout(late)
  if (code !== 0) throw new Error(`${topics.join(', ')} could not be read by KafkaJS alone (${code}): ${errors}`)
  const found = new Map<string, StockPartition & { readonly records: LogRecord[] }>()
  for (const line of lines) {
    const said = JSON.parse(line) as SaidRange | SaidRecord
    const at = `${said.topic}/${said.partition}`
    if ('low' in said) found.set(at, { ...said, records: [] })
    else found.get(at)!.records.push({ ...said, key: bytesOf(said.key), value: bytesOf(said.value) })
  }
  return [...found.values()].sort(
    (a, b) => topics.indexOf(a.topic) - topics.indexOf(b.topic) || a.partition - b.partition,
  )
}

type SaidRange = Omit<StockPartition, 'records'>
type SaidRecord = Omit<LogRecord, 'key' | 'value'> & { readonly key: string | null; readonly value: string | null }

function bytesOf(text: string | null): Uint8Array | null {
  return text === null ? null : Buffer.from(text, 'base64')
}
