/** A TCP proxy that a test can spoil: refuse, cut, delay, go silent, or swallow the answer of a produce request. */
import { connect, createServer, type Server, type Socket } from 'node:net'

interface Pair {
  readonly client: Socket
  readonly upstream: Socket
}

/** Key of a produce request, in the third and fourth byte after its size. */
const produceKey = 0

export class TcpProxy {
  private readonly server: Server
  private readonly pairs = new Set<Pair>()
  private readonly target: { host: string; port: number }
  /** Each way, ms. */
  latencyMs = 0
  /** New connections are closed at once. */
  refuses = false
  /** Connections stay open, and nothing passes. */
  silent = false
  /** Answers of so many produce requests that the broker has taken are swallowed, and the connection is reset. */
  loseAnswers = 0
  /** Answers swallowed so far. */
  lostAnswers = 0

  private constructor(target: { host: string; port: number }) {
    this.target = target
    this.server = createServer((client) => this.join(client))
  }

  /** @param port to listen on; any free one where absent */
  static async start(target: { host: string; port: number }, port = 0): Promise<TcpProxy> {
    const proxy = new TcpProxy(target)
    await new Promise<void>((resolve, reject) => {
      proxy.server.once('error', reject)
      proxy.server.listen(port, '127.0.0.1', resolve)
    })
    return proxy
  }

  get port(): number {
    return (this.server.address() as { port: number }).port
  }

  /** Resets connections: all, or each by the toss of `chance`. @returns how many */
  cut(chance: () => boolean = () => true): number {
    let count = 0
    for (const pair of [...this.pairs]) {
      if (!chance()) continue
      count++
      this.end(pair, 'reset')
    }
    return count
  }

  /** Lets everything pass again; what was held back by {@link silent} is lost with its connection. */
  heal(): void {
    this.latencyMs = 0
    this.refuses = false
    this.loseAnswers = 0
    if (!this.silent) return
    this.silent = false
    this.cut()
  }

  async stop(): Promise<void> {
    for (const pair of [...this.pairs]) this.end(pair, 'reset')
    await new Promise((resolve) => this.server.close(resolve))
  }

  private join(client: Socket): void {
    client.on('error', () => {})
    if (this.refuses) {
      client.resetAndDestroy()
      return
    }
    const upstream = connect(this.target)
    const pair = { client, upstream }
    this.pairs.add(pair)
    const produced = new Set<number>()
    upstream.on('error', () => {})
    client.on('data', (bytes) => {
      if (this.loseAnswers > 0) noteProduce(bytes, produced)
      this.pass(bytes, upstream)
    })
    upstream.on('data', (bytes) => {
      if (this.loseAnswers > 0 && bytes.length >= 8 && produced.has(bytes.readInt32BE(4))) {
        this.loseAnswers--
        this.lostAnswers++
        this.end(pair, 'reset')
        return
      }
      this.pass(bytes, client)
    })
    client.once('close', () => this.end(pair, 'close'))
    upstream.once('close', () => this.end(pair, 'close'))
  }

  private pass(bytes: Buffer, to: Socket): void {
    if (this.silent) return
    if (this.latencyMs === 0) to.write(bytes)
    else setTimeout(() => to.write(bytes), this.latencyMs)
  }

  private end(pair: Pair, how: 'reset' | 'close'): void {
    if (!this.pairs.delete(pair)) return
    for (const socket of [pair.client, pair.upstream]) {
      if (how === 'reset') socket.resetAndDestroy()
      else socket.destroy()
    }
  }
}

/** Notes the correlation id of a produce request that begins here; one that continues looks like none. */
function noteProduce(bytes: Buffer, produced: Set<number>): void {
  if (bytes.length >= 12 && bytes.readInt16BE(4) === produceKey) produced.add(bytes.readInt32BE(8))
}
