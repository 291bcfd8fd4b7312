/**
 * Services that the harness may kill: a controller and two brokers (with one, KafkaJS never meets a leader that moves)
 * and a database, of its own folders and ports, each behind a proxy. The harness itself goes past the proxies.
 */
import { execFile } from 'node:child_process'
import { mkdir, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { TcpProxy } from './tcp-proxy.ts'
import { root } from './worker-process.ts'

const run = promisify(execFile)
const script = (name: string): string => join(root, 'deploy/local', name)

export interface ClusterOptions {
  /** Two brokers with their proxies; else one, plain. */
  readonly brokers: 1 | 2
  readonly report: (line: string) => void
  /** Each broker has a disk of this size (MiB), in memory. Needs root. */
  readonly diskMb?: number
}

/** One process of Kafka, by `kafka.sh`. */
class Broker {
  readonly port: number
  /** Folder of a file system that nothing else is on. */
  readonly disk: string | undefined
  private readonly environment: NodeJS.ProcessEnv
  private readonly folder: string

  constructor(options: {
    folder: string
    port: number
    properties: readonly string[]
    heapMb: number
    disk?: string | undefined
  }) {
    this.port = options.port
    this.disk = options.disk
    this.folder = options.folder
    this.environment = {
      ...process.env,
      KAFKA_DIR: options.folder,
      KAFKA_PORT: String(options.port),
      KAFKA_PROPS: options.properties.join('\\n'),
      KAFKA_JAVA_OPTS: `-Xms64m -Xmx${options.heapMb}m -XX:+UseSerialGC -XX:TieredStopAtLevel=1`,
    }
  }

  async start(keep = false): Promise<void> {
    await run('bash', [script('kafka.sh'), 'start', '--for', String(process.pid)], {
      env: keep ? { ...this.environment, KEEP: '1' } : this.environment,
    })
  }

  async pid(): Promise<number> {
    return Number(await readFile(join(this.folder, 'pid'), 'utf8'))
  }

  async kill(): Promise<void> {
    process.kill(await this.pid(), 'SIGKILL')
    await this.ended()
  }

  /** Waits until it is gone. */
  async ended(): Promise<void> {
    const pid = await this.pid()
    while (isAlive(pid)) await new Promise((resolve) => setTimeout(resolve, 50))
  }

  async stop(): Promise<void> {
    await run('bash', [script('kafka.sh'), 'stop'], { env: this.environment })
    for (const path of [this.folder, `${this.folder}.lock`]) await rm(path, { recursive: true, force: true })
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

export interface Cluster {
  readonly brokers: readonly Broker[]
  readonly brokerProxies: readonly TcpProxy[]
  /** Before each broker's followers. */
  readonly replicationProxies: readonly TcpProxy[]
  readonly databaseProxy: TcpProxy
  readonly replicationFactor: number
  /** Past the proxies. */
  readonly direct: { readonly brokers: string[]; readonly databaseUrl: string }
  /** What workers get. */
  readonly environment: Readonly<Record<string, string>>
  stopDatabase(): Promise<void>
  startDatabase(): Promise<void>
  stop(): Promise<void>
}

/** Clusters that this process has started. */
let clusters = 0

export async function startCluster({ brokers: count, report, diskMb }: ClusterOptions): Promise<Cluster> {
  const base = join(tmpdir(), `sentinel-chaos-${process.pid}-${++clusters}`)
  const began: (() => Promise<unknown>)[] = []
  try {
    report(`starting ${count} broker${count === 1 ? '' : 's'} and a database of their own`)
    const { brokers, proxies, replicationProxies, bootstrap, direct } = await startBrokers(
      { count, base, diskMb },
      began,
    )
    const database = await startOwnDatabase(began)
    const databaseProxy = await TcpProxy.start({ host: '127.0.0.1', port: database.port })
    began.push(() => databaseProxy.stop())
    const proxied = new URL(database.url)
    proxied.port = String(databaseProxy.port)
    return {
      brokers,
      brokerProxies: proxies,
      replicationProxies,
      databaseProxy,
      replicationFactor: count,
      direct: { brokers: direct, databaseUrl: database.url },
      environment: { KAFKA_BROKERS: bootstrap.join(','), DATABASE_URL: String(proxied) },
      stopDatabase: database.stop,
      startDatabase: database.start,
      stop: () => unwind(began),
    }
  } catch (error) {
    await unwind(began)
    throw error
  }
}

async function unwind(began: (() => Promise<unknown>)[]): Promise<void> {
  for (const end of began.splice(0).reverse()) await end().catch(() => {})
}

/** A file system of its own. @returns its folder */
async function mountDisk(folder: string, mb: number, began: (() => Promise<unknown>)[]): Promise<string> {
  await mkdir(folder, { recursive: true })
  began.push(() => rm(folder, { recursive: true, force: true }))
  await run('mount', ['-t', 'tmpfs', '-o', `size=${mb}m`, 'tmpfs', folder])
  began.push(() => run('umount', ['-l', folder]))
  return folder
}

async function startBrokers(
  { count, base, diskMb }: { count: 1 | 2; base: string; diskMb: number | undefined },
  began: (() => Promise<unknown>)[],
) {
  // the script takes the port + 1000 for a controller of its own
  const [controllerPort, ...ports] = await freePorts(1 + 3 * count)
  const quorum = [`controller.quorum.voters=100@127.0.0.1:${controllerPort}`]
  const controller = new Broker({
    folder: `${base}-controller`,
    port: controllerPort!,
    heapMb: 192,
    properties: [
      'process.roles=controller',
      'node.id=100',
      `listeners=CONTROLLER://127.0.0.1:${controllerPort}`,
      ...quorum,
    ],
  })
  await controller.start()
  began.push(() => controller.stop())
  const brokers: Broker[] = []
  const proxies: TcpProxy[] = []
  const replicationProxies: TcpProxy[] = []
  for (let index = 0; index < count; index++) {
    const [inside, outside, replica] = ports.slice(3 * index, 3 * index + 3) as [number, number, number]
    const proxy = await TcpProxy.start({ host: '127.0.0.1', port: outside })
    began.push(() => proxy.stop())
    const replication = await TcpProxy.start({ host: '127.0.0.1', port: replica })
    began.push(() => replication.stop())
    const folder = `${base}-broker-${index + 1}`
    const disk = diskMb === undefined ? undefined : await mountDisk(`${folder}-disk`, diskMb, began)
    const broker = new Broker({
      folder,
      port: inside,
      heapMb: 384,
      properties: [
        'process.roles=broker',
        `node.id=${index + 1}`,
        `listeners=INSIDE://127.0.0.1:${inside},OUTSIDE://127.0.0.1:${outside},REPLICA://127.0.0.1:${replica}`,
        `advertised.listeners=INSIDE://127.0.0.1:${inside},OUTSIDE://127.0.0.1:${proxy.port},REPLICA://127.0.0.1:${replication.port}`,
        'listener.security.protocol.map=INSIDE:PLAINTEXT,OUTSIDE:PLAINTEXT,REPLICA:PLAINTEXT,CONTROLLER:PLAINTEXT',
        'inter.broker.listener.name=REPLICA',
        `offsets.topic.replication.factor=${count}`,
        `default.replication.factor=${count}`,
        'min.insync.replicas=1',
        'auto.leader.rebalance.enable=true',
        'leader.imbalance.check.interval.seconds=5',
        ...quorum,
        ...(disk === undefined ? [] : [`log.dirs=${disk}/data`]),
      ],
      disk,
    })
    await broker.start()
    began.push(() => broker.stop())
    brokers.push(broker)
    proxies.push(proxy)
    replicationProxies.push(replication)
  }
  const direct = brokers.map(({ port }) => `127.0.0.1:${port}`)
  return { brokers, proxies, replicationProxies, direct, bootstrap: proxies.map(({ port }) => `127.0.0.1:${port}`) }
}

async function startOwnDatabase(began: (() => Promise<unknown>)[]) {
  const [port] = await freePorts(1)
  const env = { ...process.env, TIMESCALE_PORT: String(port) }
  const timescale = async (...args: string[]) => (await run('bash', [script('timescale.sh'), ...args], { env })).stdout
  const start = () => timescale('start', '--for', String(process.pid))
  const url = (await start()).trim()
  began.push(() => timescale('destroy'))
  return {
    url,
    port: Number(new URL(url).port),
    stop: async () => void (await timescale('stop')),
    start: async () => void (await start()),
  }
}

/** Ports that nobody listens on now, nor on the thousandth after it. */
async function freePorts(count: number): Promise<number[]> {
  const found: number[] = []
  for (let port = 21_000 + (process.pid % 5_000); found.length < count; port++) {
    if ((await isFree(port)) && (await isFree(port + 1_000))) found.push(port)
  }
  return found
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
