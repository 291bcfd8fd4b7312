import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'

const root = join(import.meta.dirname, '../..')
const read = (path: string): string => readFileSync(join(root, path), 'utf8')

const service = z.object({
  image: z.string().optional(),
  build: z.string().optional(),
  command: z.array(z.string()).optional(),
  environment: z.record(z.string(), z.union([z.string(), z.number()])),
  ports: z.array(z.string()).default([]),
  volumes: z.array(z.string()).default([]),
  healthcheck: z.object({ test: z.array(z.string()) }).optional(),
  depends_on: z.record(z.string(), z.object({ condition: z.string() })).default({}),
})
const compose = z
  .object({
    services: z.object({ kafka: service, timescaledb: service, registry: service, worker: service }),
    volumes: z.record(z.string(), z.null()),
  })
  .parse(parse(read('docker-compose.yml')))
const services = Object.entries(compose.services)

describe('docker-compose.yml', () => {
  test('images are pinned, and are what the local services are', () => {
    expect(compose.services.kafka.image).toBe(
      `apache/kafka:${/^version=(\S+)$/m.exec(read('deploy/local/kafka.sh'))?.[1]}`,
    )
    expect(compose.services.timescaledb.image).toBe('timescale/timescaledb:2.19.3-pg17')
    expect(read('deploy/local/timescale.sh')).toContain('--include=postgresql-17,postgresql-17-timescaledb')
    for (const { image, build } of Object.values(compose.services)) {
      if (build === undefined) expect(image).toMatch(/^[\w./-]+:\d+\.\d+\.\d+[\w.-]*$/)
    }
  })

  test('the schema registry keeps its schemas on the broker, and is ready when it answers as Confluent’s does', () => {
    const { environment, depends_on, healthcheck } = compose.services.registry
    expect(environment['APICURIO_STORAGE_KIND']).toBe('kafkasql')
    expect(environment['APICURIO_KAFKASQL_BOOTSTRAP_SERVERS']).toBe(
      compose.services.worker.environment['KAFKA_BROKERS'],
    )
    expect(depends_on).toEqual({ kafka: { condition: 'service_healthy' } })
    expect(healthcheck?.test.join(' ')).toContain('/apis/ccompat/v7/subjects')
  })

  test.each(services)('%s listens on the loopback interface of the host alone', (_name, { ports }) => {
    for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/)
  })

  test('topics are not created by a misspelt name', () => {
    expect(compose.services.kafka.environment['KAFKA_AUTO_CREATE_TOPICS_ENABLE']).toBe('false')
  })

  test('every listener has a security protocol, and every one for clients an address', () => {
    const { environment } = compose.services.kafka
    const names = (key: string): string[] =>
      [...String(environment[key]).matchAll(/([A-Z]+):/g)].map((match) => match[1]!)
    expect(names('KAFKA_LISTENER_SECURITY_PROTOCOL_MAP')).toEqual(names('KAFKA_LISTENERS'))
    expect([...names('KAFKA_ADVERTISED_LISTENERS'), environment['KAFKA_CONTROLLER_LISTENER_NAMES']]).toEqual(
      names('KAFKA_LISTENERS'),
    )
  })

  test('the worker waits for both services and is told where they are', () => {
    const { depends_on, environment, command } = compose.services.worker
    expect(Object.keys(depends_on).sort()).toEqual(['kafka', 'timescaledb'])
    for (const [name, { condition }] of Object.entries(depends_on)) {
      expect(condition).toBe('service_healthy')
      expect(compose.services[name as 'kafka' | 'timescaledb'].healthcheck).toBeDefined()
    }
    const inside = /INSIDE:\/\/(kafka:\d+)/.exec(
      String(compose.services.kafka.environment['KAFKA_ADVERTISED_LISTENERS']),
    )
    expect(environment['KAFKA_BROKERS']).toBe(inside?.[1])
    expect(environment['DATABASE_URL']).toMatch(/@timescaledb:5432\/sentinel$/)
    expect(command).toEqual(['run'])
  })

  test.each(services)('%s keeps its data in a declared volume', (name, { volumes }) => {
    if (name === 'registry') return // on the broker, see above
    expect(volumes.length).toBeGreaterThan(0)
    for (const volume of volumes) expect(Object.keys(compose.volumes)).toContain(volume.split(':')[0])
  })

  test('docker compose accepts it', (context) => {
    const plugin = spawnSync('docker', ['compose', 'version'], { encoding: 'utf8' })
    if (plugin.status !== 0) return context.skip('the compose plugin of Docker is not installed')
    const checked = spawnSync('docker', ['compose', '-f', join(root, 'docker-compose.yml'), 'config', '-q'], {
      encoding: 'utf8',
    })
    expect([checked.status, checked.stderr]).toEqual([0, ''])
  })
})

describe('Dockerfile', () => {
  const lines = read('Dockerfile').split('\n')

  test('every stage begins with the same pinned image of Node 20', () => {
    const images = lines.flatMap((line) => /^FROM (\S+)/.exec(line)?.[1] ?? [])
    expect(new Set(images).size).toBe(1)
    expect(images[0]).toMatch(/^node:20\.\d+\.\d+-bookworm-slim$/)
  })

  test('the worker does not run as root, and its entry is the command of the package', () => {
    expect(lines.filter((line) => line.startsWith('USER')).at(-1)).toBe('USER 1000:1000')
    const entry = z.object({ bin: z.object({ sentinel: z.string() }) }).parse(JSON.parse(read('package.json')))
      .bin.sentinel
    expect(lines).toContain(`ENTRYPOINT ["node", "/app/${entry}"]`)
  })

  test('its build is given all that the package ships', () => {
    const { files } = z.object({ files: z.array(z.string()) }).parse(JSON.parse(read('package.json')))
    const given = read('.dockerignore')
      .split('\n')
      .flatMap((line) => (line.startsWith('!') ? [line.slice(1)] : []))
    const shipped = files.filter((path) => path !== 'dist' && existsSync(join(root, path)))
    for (const path of shipped)
      expect(given.some((prefix) => path === prefix || path.startsWith(`${prefix}/`))).toBe(true)
  })
})
