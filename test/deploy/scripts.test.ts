import { execFile, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { run } from '../../deploy/local/script.ts'
import { provideServices } from '../../deploy/local/services.ts'

const folder = join(import.meta.dirname, '../../deploy/local')
const scripts = ['kafka.sh', 'timescale.sh', 'postgres.sh'] as const

let home: string
/** A machine with nothing on it but the basic tools. */
let environment: NodeJS.ProcessEnv

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'sentinel-scripts-'))
  environment = { PATH: process.env['PATH'], HOME: home }
})
afterEach(() => rmSync(home, { recursive: true, force: true }))

/** Replaces a command by one that fails and says `text`. */
function breakCommand(name: string, text: string): void {
  writeFileSync(join(home, name), `#!/bin/sh\necho '${text}' >&2\nexit 1\n`, { mode: 0o755 })
  environment = { ...environment, PATH: `${home}:${environment['PATH']}` }
}

test.each(scripts)('%s parses, tells its usage, and its info touches nothing', (file) => {
  const script = join(folder, file)
  expect(spawnSync('bash', ['-n', script]).status).toBe(0)
  const wrong = spawnSync('bash', [script, 'begin'], { env: environment, encoding: 'utf8' })
  expect([wrong.status, wrong.stderr]).toEqual([
    2,
    expect.stringMatching(/^usage: .*start \[--for PID\] \| release PID \| stop/),
  ])
  const told = spawnSync('bash', [script, 'info'], { env: environment, encoding: 'utf8' })
  expect([told.status, told.stdout]).toEqual([0, expect.stringMatching(/^version=\S.*\ndownloaded=(yes|no)\nrunning=/)])
  expect(spawnSync('ls', ['-A', home], { encoding: 'utf8' }).stdout).toBe('')
})

test('shellcheck finds nothing', async (context) => {
  if (spawnSync('shellcheck', ['--version']).status !== 0) return context.skip('shellcheck is not installed')
  const files = [...scripts.map((file) => join(folder, file)), join(folder, '../../.ci/run')]
  const options = { cwd: join(folder, '../..') }
  await expect(promisify(execFile)('shellcheck', ['-x', ...files], options)).resolves.toBeDefined()
})

describe('leases', () => {
  /** Runs bash with common.sh sourced, the leases in `home`. */
  const bash = (commands: string) =>
    spawnSync('bash', ['-c', `. ${folder}/common.sh; leases=${home}/users; ${commands}`], { encoding: 'utf8' }).stdout

  test('the last user is told that nobody is left; the others are not', () => {
    expect(
      bash(`user=$$; lease; sleep 9 & other=$!; user=$other; lease
      user=$$; release && echo nobody || echo somebody
      user=$other; release && echo nobody || echo somebody; kill $other`),
    ).toBe('somebody\nnobody\n')
  })

  test('a user that is gone does not count', () => {
    expect(bash(`sleep 0 & user=$!; wait $user; lease; user=1; release && echo nobody`)).toBe('nobody\n')
  })

  test('what was started by hand is kept', () => {
    expect(bash(`user=; lease; user=$$; lease; release || echo kept`)).toBe('kept\n')
  })
})

describe('a failure says what to do next', () => {
  test('Maven Central cannot be reached', async () => {
    breakCommand('mvn', 'Unknown host repo.maven.apache.org')
    const lines: string[] = []
    const start = run({ file: 'kafka.sh', environment }, ['start'], (line) => lines.push(line))
    await expect(start).rejects.toMatchObject({
      code: 'SERVICE_UNAVAILABLE',
      message: expect.stringMatching(/Unknown host[\s\S]*Check the network, or name a mirror[\s\S]*set KAFKA_BROKERS/),
    })
    expect(lines[0]).toMatch(/^downloading Apache Kafka 4\.\d+\.\d+ from Maven Central/)
  })

  test('with memory allowed the demo goes on, and says why', async () => {
    breakCommand('mvn', 'Unknown host repo.maven.apache.org')
    breakCommand('debootstrap', 'no mirror')
    breakCommand('node', 'none') // postgres.sh looks for its binaries with it
    const services = await provideServices({ allowMemory: true, environment })
    expect(services.kafka).toEqual({
      memory: true,
      how: expect.stringMatching(/^in-memory log, no Kafka \(no KAFKA_BROKERS set; a local broker /),
    })
    expect(services.postgres).toBeUndefined()
    await services.stop()
  })

  test('without memory it is an error', async () => {
    breakCommand('java', 'none')
    breakCommand('debootstrap', 'no mirror')
    breakCommand('node', 'none')
    await expect(provideServices({ environment })).rejects.toMatchObject({
      code: 'SERVICE_UNAVAILABLE',
      message: expect.stringMatching(/Java 17.*apt-get install.*or set KAFKA_BROKERS/),
    })
  })

  test('DATABASE_URL names a database that does not answer', async () => {
    const url = 'postgres://user:secret@127.0.0.1:1/none'
    const failure = provideServices({
      environment: { ...environment, KAFKA_BROKERS: '127.0.0.1:1', DATABASE_URL: url },
    })
    await expect(failure).rejects.toMatchObject({
      code: 'DATABASE_UNAVAILABLE',
      message: expect.not.stringContaining('secret'),
    })
  })
})
