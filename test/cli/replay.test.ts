import { createServer } from 'node:net'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { replay } from '../../stream/cli/replay.ts'
import { createTerminal } from '../../stream/cli/terminal.ts'

/** A broker that takes connections and says nothing; told of the first. */
function silentBroker(onConnection: () => void): Promise<string> {
  return new Promise((resolve) => {
    const server = createServer((socket) => {
      onTestFinished(() => void socket.destroy())
      socket.on('error', () => {})
      onConnection()
    })
    onTestFinished(() => void server.close())
    server.listen(0, '127.0.0.1', () => resolve(`127.0.0.1:${(server.address() as { port: number }).port}`))
  })
}

describe('a replay that is interrupted', () => {
  it('ends with the code that its help says, also while it waits for a broker', async () => {
    const controller = new AbortController()
    vi.stubEnv('KAFKA_BROKERS', await silentBroker(() => controller.abort('SIGINT')))
    onTestFinished(() => void vi.unstubAllEnvs())
    let [result, said] = ['', '']
    const terminal = createTerminal({
      output: { write: (text) => (result += text) },
      errorOutput: { write: (text) => (said += text) },
      wishes: { noColor: true, dumb: true },
    })
    const absent = { config: undefined, live: undefined, from: undefined, to: undefined }
    const flags = { ...absent, 'as-recorded': false, json: false, help: false }
    expect(await replay.run({ flags, positionals: [], terminal, signal: controller.signal })).toBe(130)
    expect(result).toBe('')
    expect(said).toBe('Interrupted: there is no result.\n')
  })
})
