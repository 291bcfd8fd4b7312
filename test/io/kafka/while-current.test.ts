import { describe, expect, it } from 'vitest'
import { whileCurrent } from '../../../stream/io/kafka/while-current.ts'

describe('waiting for the database while a partition is ours', () => {
  it('gives what it answers, and its error', async () => {
    const context = { current: () => true }
    expect(await whileCurrent(context, Promise.resolve('stored'))).toBe('stored')
    await expect(whileCurrent(context, Promise.reject(new Error('refused')))).rejects.toThrow('refused')
  })

  it('ends with the assignment, when nothing is answered', async () => {
    let looks = 0
    const context = { current: () => ++looks < 2 }
    const silent = new Promise<never>(() => {})
    await expect(whileCurrent(context, silent)).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE', canRetry: true })
  })
})
