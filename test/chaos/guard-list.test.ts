/** The table of guards is of the guards that there are. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { guards } from './guard-list.ts'

const root = join(import.meta.dirname, '../..')

it.each(guards)('$name: its text stands once in its file', async ({ file, text, tests }) => {
  const source = await readFile(join(root, file), 'utf8')
  expect(source.split(text).length - 1).toBe(1)
  for (const test of tests) await expect(readFile(join(root, test), 'utf8')).resolves.toContain("from 'vitest'")
})

it('docs/guards.md has a row for each, in their order, and each turned something red', async () => {
  const page = await readFile(join(root, 'docs/guards.md'), 'utf8')
  const rows = page.split('\n').filter((line) => line.startsWith('| ') && !line.startsWith('| guard |'))
  expect(rows.map((row) => row.split(' | ')[0]!.slice(2))).toEqual(
    guards.map(({ name }) => name.replaceAll('|', '\\|')),
  )
  expect(rows.filter((row) => row.includes('**none**'))).toEqual([])
})
