import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { chooseConfigurations, nothingToReplay } from '../../stream/cli/replay-configurations.ts'
import type { History } from '../../stream/io/kafka/history.ts'

async function file(name: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'replay-configurations-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const path = join(folder, name)
  await writeFile(path, 'sources:\n  - { name: logs, topic: mine, format: json-log }\n')
  return path
}

async function choose(given: { live?: string; config?: string }, topics: string[]) {
  const notes: string[] = []
  const chosen = await chooseConfigurations(
    { live: given.live, config: given.config },
    { note: (line) => notes.push(line), topicsOf: async () => topics },
  )
  return { chosen, notes, files: [chosen.live.origin.file, chosen.other?.origin.file] }
}

const history = (sources: string[]) =>
  ({ sourcePartitions: Object.fromEntries(sources.map((name) => [name, 1])) }) as unknown as History

describe('which configuration a replay takes for the live one', () => {
  it('is --config where there is no other and no default topic exists', async () => {
    const mine = await file('mine.yaml')
    const { files, notes } = await choose({ config: mine }, ['mine'])
    expect(files).toEqual([mine, undefined])
    expect(notes.join()).toContain(
      `live: ${mine}; no other configuration is here, and no topic logs, metrics, predictions`,
    )
  })

  it('is the defaults where one of their topics exists: then --config is compared with them', async () => {
    const mine = await file('mine.yaml')
    const { files, notes } = await choose({ config: mine }, ['mine', 'metrics'])
    expect(files).toEqual([null, mine])
    expect(notes.join()).toMatch(/^live: the defaults .*; compared with /)
  })

  it('is --live, whatever exists', async () => {
    const [live, other] = [await file('live.yaml'), await file('other.yaml')]
    expect((await choose({ live, config: other }, [])).files).toEqual([live, other])
    expect((await choose({ live }, [])).files).toEqual([live, undefined])
  })
})

describe('nothing to replay', () => {
  it('names the live configuration and its topics, and guesses what was meant', async () => {
    const other = await file('other.yaml')
    const { chosen } = await choose({ config: other }, ['metrics'])
    const { message } = nothingToReplay(chosen, history(['metrics']))
    expect(message).toContain('Live is the defaults')
    expect(message).toContain('there is no topic logs, predictions, and there are no records on metrics.')
    expect(message).toContain(`Did you mean --live ${other}?`)
  })

  it('does not propose what is in force already', async () => {
    const { chosen } = await choose({ live: await file('mine.yaml') }, [])
    expect(nothingToReplay(chosen, history([])).message).not.toContain('Did you mean')
  })
})
