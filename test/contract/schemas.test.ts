import { describe, expect, it } from 'vitest'
import { generatedFiles, staleFiles } from '../../deploy/generate.ts'
import { casefileRecord } from '../../stream/contract/case.ts'
import { panesRecord } from '../../stream/contract/pane.ts'

describe('generated files', () => {
  it('are those that are checked in (npm run generate)', async () => {
    expect(await staleFiles()).toEqual([])
  })

  it('hold a schema for every record on the inner topics', async () => {
    const files = [...(await generatedFiles()).keys()]
    for (const option of [...panesRecord.options, ...casefileRecord.options]) {
      expect(files).toContain(`schemas/${option.shape.type.value}.schema.json`)
    }
    for (const record of ['incident', 'measurement', 'command', 'command-result', 'audit', 'dead-letter']) {
      expect(files).toContain(`schemas/${record}.schema.json`)
    }
  })

  it('are the same bytes each time, and know their keys', async () => {
    const [one, other] = await Promise.all([generatedFiles(), generatedFiles()])
    expect([...other]).toEqual([...one])
    const pane = JSON.parse(one.get('schemas/pane.schema.json')!) as Record<string, unknown>
    expect(Object.keys(pane).slice(0, 3)).toEqual(['$schema', '$id', 'title'])
    expect(pane).toMatchObject({ $schema: 'https://json-schema.org/draft/2020-12/schema', additionalProperties: false })
  })
})

describe('docs/configuration.md', () => {
  it('has a row for every default', async () => {
    const page = (await generatedFiles()).get('docs/configuration.md')!
    for (const row of [
      '| `detect.window` | `1h` |',
      '| `sources[].lateness` | `30s` |',
      '| `topics.partitions.panes` | `12` |',
      '| `topics.retention.audit` | `forever` |',
      '| `respond.approvals.expireAfter` | `15m` |',
      '| `http.port` | `8470` |',
      '| `psi.bins` | `10` |',
      '| `steps[].verify.within` | `30m` |',
    ]) {
      expect(page).toContain(row)
    }
  })
})
