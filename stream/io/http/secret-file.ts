/** A secret in a file that only its owner reads: made once, whole, never readable by others, not even briefly. */
import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { link, mkdir, open, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { SentinelError } from '../../errors.ts'

const secretBytesMax = 16 * 1024

/** @throws NOT_FOUND where there is none; PERMISSION_DENIED where others may read it */
export async function readSecret(path: string): Promise<string> {
  const secret = await readIfThere(path)
  if (secret !== null) return secret
  throw new SentinelError('NOT_FOUND', `There is no ${path}.`)
}

/**
 * Reads the file, or makes it with what `make` gives. Of two processes at once both get the same secret: the file is
 * written aside (mode 0600 from its first moment) and linked into place, which fails for the second.
 */
export async function readOrMakeSecret(path: string, make: () => string): Promise<{ secret: string; made: boolean }> {
  const known = await readIfThere(path)
  if (known !== null) return { secret: known, made: false }
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    const secret = make()
    const aside = `${path}.${randomBytes(8).toString('hex')}`
    const file = await open(
      aside,
      constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
      0o600,
    )
    try {
      await file.writeFile(secret)
      await file.sync()
      await link(aside, path)
      return { secret, made: true }
    } finally {
      await file.close()
      await unlink(aside)
    }
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST') return { secret: await readSecret(path), made: false }
    throw unusable(path, cause)
  }
}

async function readIfThere(path: string): Promise<string | null> {
  let file: Awaited<ReturnType<typeof open>>
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW)
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw unusable(path, cause)
  }
  try {
    const { mode, uid, size } = await file.stat()
    if ((mode & 0o077) !== 0 && process.platform !== 'win32') {
      throw new SentinelError(
        'PERMISSION_DENIED',
        `${path} holds a secret, but others may read it. Delete it, so that a new one is made; what was in it is not secret any more.`,
      )
    }
    const user = process.getuid?.()
    if (user !== undefined && uid !== user) {
      throw new SentinelError(
        'PERMISSION_DENIED',
        `${path} belongs to another user. Delete it, or choose another path.`,
      )
    }
    if (size > secretBytesMax)
      throw new SentinelError('INPUT_UNREADABLE', `${path} is too long to be a secret of ours.`)
    return (await file.readFile('utf8')).trim()
  } finally {
    await file.close()
  }
}

function unusable(path: string, cause: unknown): SentinelError {
  if (cause instanceof SentinelError) return cause
  const said = cause instanceof Error ? cause.message : String(cause)
  return new SentinelError('PERMISSION_DENIED', `${path} cannot be used: ${said}. Choose another path, or mend it.`, {
    cause,
  })
}
