import { spawn } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { noteDemo, whyLeft } from '../../stream/cli/demo-note.ts'

const place = { brokers: ['localhost:9092'], databaseUrl: 'postgres://someone:secret@localhost:5432/demo' }

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'demo-note-'))
  onTestFinished(() => rm(path, { recursive: true }))
  return path
}

/** A demo's folder whose note says something else in part. */
async function noted(other: object): Promise<string> {
  const path = await folder()
  await noteDemo(path, place)
  const note = JSON.parse(await readFile(join(path, 'demo.json'), 'utf8'))
  await writeFile(join(path, 'demo.json'), JSON.stringify({ ...note, ...other }))
  return path
}

/** The id of a process that has ended. */
async function endedPid(): Promise<number> {
  const child = spawn(process.execPath, ['--version'], { stdio: 'ignore' })
  await new Promise((resolve) => child.once('close', resolve))
  return child.pid!
}

describe('the note of a demo', () => {
  it('says that it runs, while the process does that wrote it', async () => {
    const path = await folder()
    await noteDemo(path, place)
    expect(await whyLeft(path, place)).toBe(`it runs (process ${process.pid}); if that is no demo: rm -r ${path}`)
    expect(await readdir(path)).toEqual(['demo.json'])
    expect(await readFile(join(path, 'demo.json'), 'utf8')).not.toContain('secret')
  })

  it('does not take another process for it that has its number', async () => {
    expect(await whyLeft(await noted({ began: 'at another time' }), place)).toBeNull()
    expect(await whyLeft(await noted({ pid: 1 }), place)).toBeNull()
  })

  it('believes the number where the machine did not tell when it began', async () => {
    expect(await whyLeft(await noted({ began: null }), place)).toContain('it runs')
    expect(await whyLeft(await noted({ began: null, pid: await endedPid() }), place)).toBeNull()
  })

  it('says where it ran, and what to do when that is gone', async () => {
    const path = await noted({ pid: await endedPid(), brokers: ['elsewhere:9092'] })
    expect(await whyLeft(path, place)).toBe(
      'it ran on elsewhere:9092 and localhost:5432/demo: set KAFKA_BROKERS and DATABASE_URL as they were then; ' +
        `if those services are gone for good: rm -r ${path}`,
    )
    expect(await whyLeft(path, { ...place, brokers: ['elsewhere:9092'] })).toBeNull()
  })

  it.each(['', '{"pid":', '[]', '{"pid":1}', '{"pid":"1","began":null,"brokers":[],"database":""}'])(
    'that is damaged is none: %s',
    async (text) => {
      const path = await folder()
      expect(await whyLeft(path, place)).toBeNull()
      await writeFile(join(path, 'demo.json'), text)
      expect(await whyLeft(path, place)).toBeNull()
    },
  )
})
