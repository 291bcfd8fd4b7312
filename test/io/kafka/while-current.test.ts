import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { whileCurrent } from '../../../stream/io/kafka/while-current.ts'

describe('waiting for the database while a partition is ours', () => {
  it('gives what it answers, and its error', async () => {
    const context = { current: () => true, heartbeat: async () => {} }
    expect(await whileCurrent(context, Promise.resolve('stored'))).toBe('stored')
    await expect(whileCurrent(context, Promise.reject(new Error('refused')))).rejects.toThrow('refused')
  })

  it('ends with the assignment, when nothing is answered', async () => {
    let looks = 0
    const context = { current: () => ++looks < 2, heartbeat: async () => {} }
    const silent = new Promise<never>(() => {})
    await expect(whileCurrent(context, silent)).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE', canRetry: true })
  })

  it('keeps the session, however long it takes, and not beyond', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    onTestFinished(() => void vi.useRealTimers())
    let beats = 0
    let answer = () => {}
    const work = new Promise<void>((resolve) => {
      answer = resolve
    })
    const heartbeat = async () => void beats++
    const waiting = whileCurrent({ current: () => true, heartbeat }, work)
    await vi.advanceTimersByTimeAsync(8_000)
    expect(beats).toBe(8)
    answer()
    await waiting
    await vi.advanceTimersByTimeAsync(8_000)
    expect(beats).toBe(8)
  })
})
