import { describe, expect, it } from 'vitest'
import { auditHash, verifyAuditChain } from '../../stream/contract/audit-chain.ts'
import { told } from '../../stream/respond/narrative.ts'
import { narrativeMax } from '../../stream/respond/state.ts'
import { Bench, minute, poolRunbook, start, wall } from './bench.ts'

function chain() {
  const bench = new Bench({ runbooks: [poolRunbook] })
  bench.finds({}, { tenant: 'other' })
  bench.watermark(start + minute)
  bench.decide()
  bench.tick(wall)
  bench.give({ type: 'nonsense' })
  return bench.audit()
}

describe('the audit chain', () => {
  it('verifies, tenants apart', () => {
    const entries = chain()
    expect(verifyAuditChain(entries)).toEqual({ ok: true, entries: entries.length, tenants: 3, repetitions: 0 })
  })

  it('shows a change of any byte of any entry', () => {
    const entries = chain()
    for (const [index, entry] of entries.entries()) {
      const text = JSON.stringify(entry)
      for (let at = 0; at < text.length; at += 7) {
        const code = text.charCodeAt(at) ^ 1
        let changed: unknown
        try {
          changed = JSON.parse(text.slice(0, at) + String.fromCharCode(code) + text.slice(at + 1))
        } catch {
          continue
        }
        const check = verifyAuditChain(entries.with(index, changed as (typeof entries)[number]))
        expect(check).toMatchObject({ ok: false, firstBroken: { index } })
      }
    }
  })

  it('shows an entry that was rewritten together with its hash, by the next one', () => {
    const entries = chain()
    const { hash: _, ...rest } = { ...entries[0]!, event: 'incident-closed' }
    const forged = { ...rest, hash: auditHash(rest) }
    const check = verifyAuditChain(entries.with(0, forged))
    const next = entries.findIndex(({ tenant, sequence }) => tenant === forged.tenant && sequence === 1)
    expect(check).toMatchObject({ ok: false, firstBroken: { index: next, reason: 'previous-hash' } })
  })

  it('shows a gap, and two that changed places', () => {
    const entries = chain().filter(({ tenant }) => tenant === 'shop')
    expect(verifyAuditChain(entries.toSpliced(1, 1))).toMatchObject({ firstBroken: { index: 1, reason: 'sequence' } })
    const swapped = entries.with(0, entries[1]!).with(1, entries[0]!)
    expect(verifyAuditChain(swapped)).toMatchObject({ firstBroken: { index: 0, reason: 'sequence' } })
  })

  it('passes over exact repetitions', () => {
    const entries = chain()
    expect(verifyAuditChain([...entries, ...entries])).toMatchObject({ ok: true, repetitions: entries.length })
  })

  it('may lack its beginning when that is said', () => {
    const entries = chain()
      .filter(({ tenant }) => tenant === 'shop')
      .slice(2)
    expect(verifyAuditChain(entries)).toMatchObject({ ok: false, firstBroken: { index: 0, reason: 'sequence' } })
    expect(verifyAuditChain(entries, { partial: true })).toMatchObject({ ok: true })
  })
})

it('a narrative keeps its beginning and its end', () => {
  let lines: readonly string[] = []
  for (let index = 0; index < 300; index++) lines = told(lines, start, `sentence ${index}`)
  expect(lines).toHaveLength(narrativeMax)
  expect(lines[19]).toContain('sentence 19')
  expect(lines[20]).toBe(`… ${300 - narrativeMax + 1} lines left out`)
  expect(lines[21]).toContain(`sentence ${300 - narrativeMax + 21}`)
  expect(lines.at(-1)).toContain('sentence 299')
})
