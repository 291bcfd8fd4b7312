/** What happens to brokers, database and connections while workers are killed. One thing at a time, then a calm. */
import type { Random } from '../../stream/simulate/random.ts'
import type { Cluster } from './cluster.ts'
import type { Tally } from './tally.ts'

const kinds = [
  'broker killed',
  'broker connections cut',
  'broker slow',
  'broker silent',
  'produce answers lost',
  'database stopped',
  'database connections cut',
  'database silent',
] as const
type Kind = (typeof kinds)[number]

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

export class Weather {
  private readonly cluster: Cluster
  private readonly random: Random
  private readonly tally: Tally
  private isOver = false
  private blowing: Promise<void> = Promise.resolve()
  private next = 0

  constructor(options: { cluster: Cluster; random: Random; tally: Tally }) {
    this.cluster = options.cluster
    this.random = options.random
    this.tally = options.tally
  }

  start(): void {
    this.blowing = this.blow()
  }

  /** Ends it in a calm. @throws what went wrong with the services */
  async stop(): Promise<void> {
    this.isOver = true
    await this.blowing
  }

  private async blow(): Promise<void> {
    while (!this.isOver) {
      await this.calm(6_000 + this.random.integer(8_000))
      if (this.isOver) return
      const kind = kinds[this.next++ % kinds.length]!
      await this.one(kind)
      this.tally.blew(kind)
    }
  }

  private async calm(ms: number): Promise<void> {
    const untilMs = performance.now() + ms
    while (!this.isOver && performance.now() < untilMs) await pause(200)
  }

  private async one(kind: Kind): Promise<void> {
    const { cluster, random } = this
    const at = random.integer(cluster.brokers.length)
    const [broker, proxy] = [cluster.brokers[at]!, cluster.brokerProxies[at]!]
    const some = () => random.uniform() < 0.5
    switch (kind) {
      case 'broker killed':
        await broker.kill()
        await pause(500 + random.integer(4_000))
        return broker.start(true)
      case 'broker connections cut':
        for (const each of cluster.brokerProxies) each.cut(some)
        return
      case 'broker slow':
        proxy.latencyMs = 20 + random.integer(200)
        await pause(5_000)
        return proxy.heal()
      case 'broker silent':
        proxy.silent = true
        await pause(4_000 + random.integer(8_000))
        return proxy.heal()
      case 'produce answers lost':
        proxy.loseAnswers = 5
        await pause(5_000)
        return proxy.heal()
      case 'database stopped':
        await cluster.stopDatabase()
        await pause(1_000 + random.integer(6_000))
        return cluster.startDatabase()
      case 'database connections cut':
        cluster.databaseProxy.cut(some)
        return
      case 'database silent':
        cluster.databaseProxy.silent = true
        await pause(4_000 + random.integer(4_000))
        return cluster.databaseProxy.heal()
    }
  }
}
