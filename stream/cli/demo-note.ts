/** What a demo writes into its folder about itself, so that a later command knows whether it runs and where it ran. */
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { z } from 'zod'

const fileName = 'demo.json'

const demoNote = z.object({
  pid: z.int().positive(),
  /** When that process began, as the machine writes it: the pid alone may be somebody else's by now. */
  began: z.string().nullable(),
  brokers: z.array(z.string()),
  /** Host, port and name; no user and no password. */
  database: z.string(),
})
type DemoNote = z.output<typeof demoNote>

/** Where demos run. */
export interface DemoPlace {
  readonly brokers: readonly string[]
  readonly databaseUrl: string
}

/** Notes in a demo's folder that this process plays it, and on which services. Whole or not at all. */
export async function noteDemo(folder: string, { brokers, databaseUrl }: DemoPlace): Promise<void> {
  const began = await beginOf(process.pid)
  const note: DemoNote = { pid: process.pid, began, brokers: [...brokers], database: databaseOf(databaseUrl) }
  const aside = join(folder, `${fileName}.${randomBytes(4).toString('hex')}`)
  await writeFile(aside, JSON.stringify(note))
  await rename(aside, join(folder, fileName))
}

/** @returns why a demo is to be left as it is; null where its note does not speak against its removal, or none can be read */
export async function whyLeft(folder: string, here: DemoPlace): Promise<string | null> {
  const note = await readNote(folder)
  if (note === null) return null
  const { pid, began, brokers, database } = note
  if (await runs(pid, began)) return `it runs (process ${pid}); if that is no demo: rm -r ${folder}`
  if (brokers.join() === here.brokers.join() && database === databaseOf(here.databaseUrl)) return null
  return (
    `it ran on ${brokers.join(',')} and ${database}: set KAFKA_BROKERS and DATABASE_URL as they were then; ` +
    `if those services are gone for good: rm -r ${folder}`
  )
}

function databaseOf(url: string): string {
  const { host, pathname } = new URL(url)
  return `${host}${pathname}`
}

/** @returns null also for a note that a full disk or another version left damaged */
async function readNote(folder: string): Promise<DemoNote | null> {
  try {
    return demoNote.parse(JSON.parse(await readFile(join(folder, fileName), 'utf8')))
  } catch {
    return null
  }
}

async function runs(pid: number, began: string | null): Promise<boolean> {
  return isAlive(pid) && (began === null || (await beginOf(pid)) === began)
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** Fields of /proc/<pid>/stat behind the command's name, up to the one that counts the ticks since the boot. */
const beganField = 19

/**
 * When a process began: on Linux the boot and the ticks since then, elsewhere as `ps` writes it.
 *
 * @returns null where there is no such process, or the machine does not tell
 */
async function beginOf(pid: number): Promise<string | null> {
  try {
    const boot = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim()
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
    // the name is in brackets, and may hold brackets and blanks of its own
    const ticks = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[beganField]
    return ticks === undefined ? null : `${boot} ${ticks}`
  } catch {
    const asked = promisify(execFile)('ps', ['-p', String(pid), '-o', 'lstart='])
    return asked.then(
      ({ stdout }) => stdout.trim() || null,
      () => null,
    )
  }
}
