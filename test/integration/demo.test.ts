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
  })
})

function deleteWhenFinished(prefix: string): void {
  testPool([prefix.slice(0, -1).replace('-', '_')])
  onTestFinished(async () => {
    const kafka = createKafka({ brokers, clientId: 'sentinel-test' }, () => {})
    await withAdmin(kafka, async (admin) => {
      await admin.deleteTopics({ topics: (await admin.listTopics()).filter((topic) => topic.startsWith(prefix)) })
    })
  })
}
