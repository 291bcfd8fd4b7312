import { describe, expect, it } from 'vitest'
import { createApiClient } from '../../../stream/io/http/client.ts'

describe('the URL of the API', () => {
  it.each(['http://127.0.0.1:8470', 'https://sentinel.example', 'http://[::1]:8470/'])('may be %s', (url) => {
    expect(() => createApiClient({ url, token: 'any' })).not.toThrow()
  })

  it.each([
    ['localhost:8470', 'found "localhost:8470"; did you mean http://localhost:8470?'],
    ['127.0.0.1:8470', 'found "127.0.0.1:8470"; did you mean http://127.0.0.1:8470?'],
    ['ftp://host:21', 'found "ftp://host:21"'],
    ['not a url', 'found "not a url"'],
    ['', 'found ""'],
    ['http://me:secret@host:8470', 'found user or password'],
    ['me:secret@host:8470', 'found user or password'],
  ])('may not be %s', (url, said) => {
    const message = `The URL of the API is http://host:port or https://host:port; ${said}`
    const create = () => createApiClient({ url, token: 'any' })
    expect(create).toThrow(expect.objectContaining({ code: 'USAGE', message }))
  })
})
