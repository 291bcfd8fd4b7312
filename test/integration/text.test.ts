/** The log files of the broker and of PostgreSQL, as they are, sent by kcat and folded as text lines. */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { decodeJson } from '../../stream/contract/encoding.ts'
import type { Pane } from '../../stream/contract/pane.ts'
import { brokerTopic } from '../../stream/contract/topics.ts'
import { offsetRanges } from '../../stream/io/kafka/topics.ts'
import { sentinel, workerProcess } from './child.ts'
import { brokers, type Names, ownNames, readTopic, servicesMissing, testFolder, until } from './world.ts'

const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'sentinel-stream')
/** Where the scripts of deploy/local keep them; the first that is there counts. */
const logFiles = {
  broker: [join(process.env['KAFKA_DIR'] ?? join(cache, 'kafka-data'), 'broker.log')],
  PostgreSQL: [
    join(process.env['TIMESCALE_ROOT'] ?? join(cache, 'timescale'), 'var/lib/postgresql/sentinel.log'),
    join(process.env['POSTGRES_DIR'] ?? '/var/lib/sentinel-stream/postgres', 'log'),
    join(cache, 'postgres/log'),
  ],
}
const linesMax = 5_000
const hasKcat = spawnSync('kcat', ['-V']).error === undefined

describe.skipIf(servicesMissing)('log files', () => {
  for (const [service, paths] of Object.entries(logFiles)) {
    const path = paths.find((candidate) => existsSync(candidate))
    it(`of the ${service} are folded whole, as text lines`, async ({ skip }) => {
      if (path === undefined) return skip(`the log file of the ${service} is not where deploy/local keeps it`)
      const lines = readFileSync(path, 'utf8').split('\n').slice(0, linesMax)
      if (lines.at(-1) === '') lines.pop()
      expect(lines.length).toBeGreaterThan(0)
      await foldedWhole(lines, hasKcat ? sendByKcat : sendByProduce)
    })
  }

  it('are sent by `sentinel produce` as they are, empty lines too', async () => {
    await foldedWhole(
      ['ERROR first', '', '  at Main.java:1', '\ttab \u0000 \ud83d\ude00', '{"not": json'],
      sendByProduce,
    )
  })
})

type Send = (file: string, topic: string) => Promise<void>

async function sendByKcat(file: string, topic: string): Promise<void> {
  const { status, stderr } = spawnSync('kcat', ['-P', '-b', brokers.join(','), '-t', topic, '-l', file])
  expect(status, String(stderr)).toBe(0)
}

async function sendByProduce(file: string, topic: string): Promise<void> {
  const { code, stderr } = await sentinel(['produce', '--file', file, '--format', 'text', '--topic', topic]).end()
  expect(code, stderr).toBe(0)
}

async function foldedWhole(lines: readonly string[], send: Send): Promise<void> {
  const names = await ownNames()
  const { prefix, schema, admin } = names
  const folder = await testFolder()
  const topic = `${prefix}lines`
  await admin.createTopics({ topics: [{ topic, numPartitions: 1 }], waitForLeaders: true })
  const file = join(folder, 'service.log')
  await writeFile(file, `${lines.join('\n')}\n`)
  await send(file, topic)
  const sent = (await offsetRanges(admin, topic))!.reduce((sum, { high }) => sum + high, 0)
  // kcat leaves empty lines out
  expect(sent).toBeGreaterThanOrEqual(lines.filter((line) => line !== '').length)
  expect(sent).toBeLessThanOrEqual(lines.length)

  const configPath = join(folder, 'sentinel.yaml')
  const source = { name: 'lines', topic, format: 'text', pane: '1s', lateness: '2s', idleAfter: '3s' }
  await writeFile(
    configPath,
    stringify({
      sources: [source],
      topics: { prefix, partitions: { panes: 2, casefile: 1 } },
      database: { schema },
      http: { port: 0 },
      stateFolder: join(folder, 'state'),
    }),
  )
  const worker = workerProcess(configPath)
  await worker.says(/^ready/m)
  const folded = async () => (await panes(names)).reduce((sum, { count }) => sum + count, 0)
  // the last panes close once the partition has been declared idle
  await until(`${sent} lines in panes`, async () => (await folded()) >= sent, { everyMs: 500, instead: folded })
  expect((await worker.terminate()).code, worker.stderr).toBe(0)
  expect(await folded()).toBe(sent)
  expect(await readTopic(names, brokerTopic('dead-letters', prefix))).toEqual([])
  expect(new Set((await panes(names)).map(({ kind }) => kind))).toEqual(new Set(['text']))
}

async function panes(names: Names): Promise<Pane[]> {
  const records = await readTopic(names, brokerTopic('panes', names.prefix))
  const found = records.filter(({ headers }) => headers['ce_type'] === 'sentinel.pane.v1')
  return [...new Map(found.map(({ headers, value }) => [headers['ce_id'], decodeJson(value!) as Pane])).values()]
}
