/** The commands against a real broker and database: what they do, and with which code they end. */
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { startWorker } from '../../stream/cli/worker.ts'
import { offsetRanges } from '../../stream/io/kafka/topics.ts'
import { createTelemetry } from '../../stream/telemetry.ts'
import { stageNames, topicsInUse } from '../../stream/topology.ts'
import { databaseUrl, freshSchemaName, testPool } from '../io/database.ts'
import { writeConfig } from '../small-config.ts'
import { sentinel } from './child.ts'
import { createWorld, ownNames, servicesMissing, testFolder, until } from './world.ts'

describe.skipIf(servicesMissing)('the command line', () => {
  it('makes topics and tables, and finds nothing wrong then', async () => {
    const { configPath, prefix, admin, pool, schema } = await createWorld()
    const config = ['--config', configPath]
    const missing = await sentinel(['topics', ...config]).end()
    expect(missing.code, missing.stderr).toBe(1)
    const created = await sentinel(['topics', '--create', ...config]).end()
    expect(created.code, created.stderr).toBe(0)
    const topics = await admin.listTopics()
    for (const name of topicsInUse({})) expect(topics).toContain(`${prefix}sentinel.${name}.v1`)

    const [checked, migrated, doctor, verified] = await Promise.all([
      sentinel(['config', 'check', ...config]).end(),
      sentinel(['migrate', ...config]).end(),
      sentinel(['doctor', ...config]).end(),
      sentinel(['audit', 'verify', ...config]).end(),
    ])
    expect(checked.code, checked.stderr).toBe(0)
    expect(checked.stdout).toContain(prefix)
    expect(migrated.code, migrated.stderr).toBe(0)
    expect(migrated.stdout).toContain(`schema ${schema}: applied 000001`)
    expect((await pool.query(`select count(*)::int as count from ${schema}.measurements`)).rows).toEqual([{ count: 0 }])
    expect(doctor.code, doctor.stdout).toBe(0)
    expect(doctor.stdout).toMatch(/ok {4}source logs: .*, 2 partitions, 0 records/)
    expect(verified.code, verified.stderr).toBe(0)
    expect(verified.stdout).toContain('0 entries')
  })

  it('sends the rows of a file that can be read, and says which cannot', async () => {
    const { prefix, admin } = await ownNames()
    const folder = await testFolder()
    const csv = join(folder, 'cpu.csv')
    await writeFile(csv, 'time,value\n2026-01-05T00:00:00Z,1.5\nnever,2\n2026-01-05T00:01:00Z,3\n')
    const ndjson = join(folder, 'lines.ndjson')
    await writeFile(ndjson, '{"time":1}\n{"time":\n{"time":2}\n')
    const topic = `${prefix}rows`
    const rows = await sentinel(
      ['produce', '--file', csv, '--topic', topic, '--create', '1', '--time-column', 'time', '--name', 'cpu'],
      { cwd: folder },
    ).end()
    expect(rows.code, rows.stderr).toBe(1)
    expect(rows.stderr).toMatch(/line 3: /)
    expect(await offsetRanges(admin, topic)).toEqual([{ low: 0, high: 2 }])
    const lines = await sentinel(['produce', '--file', ndjson, '--topic', topic], { cwd: folder }).end()
    expect(lines.code, lines.stderr).toBe(1)
    expect(lines.stderr).toMatch(/line 2: /)
    expect(await offsetRanges(admin, topic)).toEqual([{ low: 0, high: 4 }])
    const beyond = ['produce', '--file', ndjson, '--topic', `${prefix}beyond`, '--create', '1', '--partition', '4']
    const refused = await sentinel(beyond, { cwd: folder }).end()
    expect(refused.code, refused.stderr).toBe(64)
    expect(await admin.listTopics()).not.toContain(`${prefix}beyond`)
    const nowhere = await sentinel(['produce', '--file', ndjson, '--topic', `${prefix}nowhere`], { cwd: folder }).end()
    expect(nowhere.code, nowhere.stderr).toBe(66)
  })

  it('sends what a pipe gives while it waits for more, and says how far it came when it is told to end', async () => {
    const { prefix, admin } = await ownNames()
    const topic = `${prefix}pipe`
    const args = ['produce', '--file', '-', '--format', 'text', '--topic', topic, '--create', '1']
    const producing = sentinel(args, { cwd: await testFolder(), input: 'a\nb\nc\nhalf a line', goesOn: true })
    await until('three records', async () => {
      if (!(await admin.listTopics()).includes(topic)) return false
      return (await offsetRanges(admin, topic))![0]!.high === 3
    })
    const { code, stdout, stderr } = await producing.terminate()
    expect(code, stderr).toBe(130)
    expect(stdout).toBe(`3 records to ${topic}; interrupted after line 3\n`)
    expect(await offsetRanges(admin, topic)).toEqual([{ low: 0, high: 3 }])
  })

  it('makes no topic for what it cannot read', async () => {
    const { prefix, admin } = await ownNames()
    const folder = await testFolder()
    const csv = join(folder, 'cpu.csv')
    await writeFile(csv, 'time,value\n2026-01-05T00:00:00Z,1.5\n')
    const produce = (topic: string, ...args: string[]) =>
      sentinel(['produce', '--topic', topic, '--create', '1', ...args], { cwd: folder }).end()
    const [column, directory, name] = await Promise.all([
      produce(`${prefix}column`, '--file', csv, '--time-column', 'never'),
      produce(`${prefix}folder`, '--file', folder, '--format', 'text'),
      produce(`${prefix}bad topic!`, '--file', csv, '--format', 'text'),
    ])
    expect([column.code, directory.code, name.code], column.stderr).toEqual([64, 66, 64])
    expect(column.stderr).toContain('no column is called "never"')
    expect(directory.stderr).toBe(`error: ${folder} cannot be read: it is a folder\n`)
    expect(name.stderr).toMatch(/^error: The broker takes no topic of such a name: .*bad topic!\..*\n$/)
    expect((await admin.listTopics()).filter((topic) => topic.startsWith(prefix))).toEqual([])
  })

  it('stops in order while it waits for a topic, and answers meanwhile that it is not ready', async () => {
    const { loaded, prefix } = await createWorld()
    const sources = loaded.config.sources.map((source) => ({ ...source, topic: `${prefix}not-yet.${source.name}` }))
    const optionalSources = sources.map(({ name }) => name)
    const controller = new AbortController()
    const lines: string[] = []
    const logged: string[] = []
    const starting = startWorker({
      loaded: { ...loaded, config: { ...loaded.config, sources, optionalSources } },
      roles: stageNames,
      telemetry: createTelemetry({ log: 'json', level: 'info', write: (line) => logged.push(line) }),
      terminal: true,
      print: (line) => lines.push(line),
      onFatal: (error) => lines.push(error.message),
      signal: controller.signal,
    })
    const ended = starting.then(
      () => 'started',
      (error: unknown) => error,
    )
    await until('it to wait', async () => logged.some((line) => line.includes('NOT_FOUND')))
    const url = /^API at (\S+)$/m.exec(lines.join('\n'))![1]!
    const ready = await fetch(`${url}/health/ready`)
    expect(ready.status).toBe(503)
    expect(await ready.text()).toContain('waits for a topic')
    controller.abort('SIGTERM')
    expect(await ended).toBe('SIGTERM')
    expect(logged.filter((line) => line.includes('"level":"error"'))).toEqual([])
    await expect(fetch(url)).rejects.toThrow()
  })

  it('says under which configuration it found nothing to replay', async () => {
    const { configPath, prefix } = await createWorld()
    const cwd = await testFolder()
    const { code, stderr } = await sentinel(['replay', '--live', configPath], { cwd }).end()
    expect(code, stderr).toBe(66)
    expect(stderr).toContain(`Live is ${configPath}: `)
    expect(stderr).toContain(prefix)
  })

  it('simulates as fast as it goes', async () => {
    const { prefix, admin } = await ownNames()
    const args = ['--speed', '0', '--from', '2026-01-05T00:00:00Z', '--duration', '10m', '--prefix', prefix]
    const { code, stderr } = await sentinel(['simulate', ...args], { cwd: await testFolder() }).end()
    expect(code, stderr).toBe(0)
    for (const name of ['logs', 'predictions']) {
      const ranges = (await offsetRanges(admin, `${prefix}${name}`))!
      expect(ranges.length).toBe(2)
      for (const { high } of ranges) expect(high).toBeGreaterThan(0)
    }
  })

  it('ends with a code that says what is wrong', async () => {
    const folder = await testFolder()
    const path = await writeConfig(folder, 'sentinel.yaml', { prefix: 'nowhere.', schema: 'nowhere' })
    const broken = join(folder, 'broken.yaml')
    await writeFile(broken, 'detect:\n  windw: 1h\n')
    const closed = await closedPort()
    const env = { KAFKA_BROKERS: `127.0.0.1:${closed}` }
    const [unknown, invalid, check, away, absent] = await Promise.all([
      sentinel(['simulat']).end(),
      sentinel(['run', '--config', broken]).end(),
      sentinel(['config', 'check', '--config', broken]).end(),
      sentinel(['topics', '--config', path], { env }).end(),
      sentinel(['run', '--config', join(folder, 'absent.yaml')]).end(),
    ])
    expect(unknown.code, unknown.stderr).toBe(64)
    expect(unknown.stderr).toContain('did you mean "sentinel simulate"?')
    expect([invalid.code, check.code], check.stderr).toEqual([78, 78])
    expect(check.stderr).toContain('window')
    expect(away.code, away.stderr).toBe(69)
    expect(away.stderr).toContain(`tried 127.0.0.1:${closed} (connection refused)`)
    expect(absent.code, absent.stderr).toBe(66)
    const message = expect.stringContaining('window')
    expect(lastLine(invalid.stderr)).toMatchObject({ code: 'CONFIGURATION_INVALID', exitCode: 78, message })
    expect(lastLine(absent.stderr)).toMatchObject({ level: 'error', code: 'INPUT_UNREADABLE', exitCode: 66 })
  })

  it('asks for the broker before it makes a table, and says in its last line why it ended', async () => {
    const schema = freshSchemaName()
    const path = await writeConfig(await testFolder(), 'sentinel.yaml', { prefix: 'nowhere.', schema })
    const env = { KAFKA_BROKERS: `127.0.0.1:${await closedPort()}` }
    const { code, stderr } = await sentinel(['run', '--config', path], { env }).end()
    expect(code, stderr).toBe(69)
    const message = expect.stringContaining('connection refused')
    expect(lastLine(stderr)).toMatchObject({ level: 'error', code: 'BROKER_UNAVAILABLE', exitCode: 69, message })
    const { rows } = await testPool([schema]).query('select from pg_namespace where nspname = $1', [schema])
    expect(rows).toEqual([])
  })

  it('says by which variable the database that it may not enter was found', async () => {
    const { configPath } = await createWorld()
    const wrong = new URL(databaseUrl)
    wrong.password = 'wrong'
    const [migrated, doctor] = await Promise.all([
      sentinel(['migrate', '--config', configPath], { env: { DATABASE_URL: wrong.href } }).end(),
      sentinel(['doctor', '--config', configPath], { env: { DATABASE_READER_URL: wrong.href } }).end(),
    ])
    expect(migrated.code, migrated.stderr).toBe(77)
    expect(migrated.stderr).toContain('Check the user and password of DATABASE_URL')
    expect(migrated.stderr).not.toContain('sentinel migrate')
    expect(doctor.code, doctor.stdout).toBe(1)
    expect(doctor.stdout).toMatch(/wrong database reader: .*Check the user and password of DATABASE_READER_URL/)
    expect(doctor.stdout).toMatch(/ok {4}database: /)
  })
})

/** The last line of a log, all of which is JSON. */
function lastLine(text: string): unknown {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown)
    .at(-1)
}

/** A port on which nobody listens: one that was free a moment ago. */
function closedPort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })
}
