/** The demo as a person starts it, on the broker and the database: one seed. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createKafka } from '../../stream/io/kafka/client.ts'
import { withAdmin } from '../../stream/io/kafka/topics.ts'
import { testPool } from '../io/database.ts'
import { Child } from './child.ts'
import { brokers, servicesMissing, testFolder } from './world.ts'

const main = join(import.meta.dirname, '../../dist/stream/main.js')

describe.skipIf(servicesMissing)('sentinel demo', () => {
  it('opens one incident for the cascade, payment first, and one for the drift', { timeout: 300_000 }, async () => {
    expect(existsSync(main), `${main} is missing: npm run build makes it`).toBe(true)
    const folder = await testFolder()
    const demo = new Child([main, 'demo', '--yes'], { cwd: folder })
    const { code, stdout, stderr } = await demo.end(290_000)
    const prefix = /demo-\d{8}_\d{6}\./.exec(stdout)?.[0]
    if (prefix !== undefined) deleteWhenFinished(prefix)
    expect(code, `${stdout}\n${stderr}`).toBe(0)
    const lines = stdout.trimEnd().split('\n')
    const head = lines.findIndex((line) => line.startsWith('incident '))
    expect(
      lines.slice(head + 1).map((line) => line.split(/ {2,}/)),
      stdout,
    ).toEqual([
      [
        expect.stringMatching(/^payment: /),
        expect.stringMatching(/^payment, (?=.*\border\b)(?=.*\bgateway\b)/),
        'closed',
        'remediated',
      ],
      ['churn@3: drift', 'churn@3', 'closed', 'remediated'],
    ])
    expect(stdout.match(/^\d\d:\d\d {2}opened /gm)).toHaveLength(2)
    expect(stdout.match(/approved: --yes/g)).toHaveLength(2)
    expect(stdout).toContain(`-t ${prefix}sentinel.incidents.v1`)
    await expectCleaned(folder, prefix!)
  })

  it('stops when it is told to, on the broker and in memory', { timeout: 120_000 }, async () => {
    const folder = await testFolder()
    const demo = new Child([main, 'demo', '--yes'], { cwd: folder })
    await demo.says(/Two quiet days/, 60_000)
    const { code, stderr } = await demo.terminate()
    expect(code, stderr).toBe(130)
    const prefix = /(demo-\d{8}_\d{6})\b/.exec(stderr)?.[1]
    expect(prefix, stderr).toBeDefined()
    deleteWhenFinished(`${prefix}.`)
    // only an end in order says this
    expect(stderr).toMatch(/Stopping\.\n(.*\n)*Stopped\. This run left/)
    await expectCleaned(folder, `${prefix}.`)

    const inMemory = new Child([main, 'demo', '--memory', '--yes'], { cwd: folder })
    await inMemory.says(/Two quiet days/)
    const ended = await inMemory.terminate()
    expect(ended.code, ended.stderr).toBe(130)
    expect(ended.stderr).toContain('Stopping.')
  })
})

/** What the demo left is removed, and nothing that is like it by name alone. */
async function expectCleaned(folder: string, prefix: string): Promise<void> {
  const name = prefix.slice(0, -1)
  const pool = testPool([])
  const kafka = createKafka({ brokers, clientId: 'sentinel-test' }, () => {})
  const neighbour = `${name}0.logs`
  const found = async () => ({
    topics: (await withAdmin(kafka, (admin) => admin.listTopics())).filter((topic) => topic.startsWith(name)),
    schemas: (await pool.query('select 1 from pg_namespace where nspname = $1', [name.replace('-', '_')])).rowCount,
    folder: existsSync(join(folder, '.sentinel', name)),
  })
  await withAdmin(kafka, (admin) => admin.createTopics({ topics: [{ topic: neighbour, numPartitions: 1 }] }))
  onTestFinished(() => withAdmin(kafka, (admin) => admin.deleteTopics({ topics: [neighbour] })))
  expect(await found()).toMatchObject({ schemas: 1, folder: true })
  const clean = await new Child([main, 'demo', '--clean'], { cwd: folder }).end()
  expect(clean.code, clean.stderr).toBe(0)
  expect(clean.stdout).toContain(`removed ${name}: 12 topics, `)
  expect(await found()).toEqual({ topics: [neighbour], schemas: 0, folder: false })
}

function deleteWhenFinished(prefix: string): void {
  testPool([prefix.slice(0, -1).replace('-', '_')])
  onTestFinished(async () => {
    const kafka = createKafka({ brokers, clientId: 'sentinel-test' }, () => {})
    await withAdmin(kafka, async (admin) => {
      await admin.deleteTopics({ topics: (await admin.listTopics()).filter((topic) => topic.startsWith(prefix)) })
    })
  })
}
