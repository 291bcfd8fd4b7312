/** Python environments of the benchmarks: made under the cache, once, from a file of pinned requirements. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

/** What the benchmarks install is kept here from run to run. */
export const benchCache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'sentinel-stream', 'bench')

/**
 * @param environment.name          folder under the cache
 * @param environment.requirements  path of a requirements file
 * @returns the interpreter of an environment that holds them
 */
export function python(environment: { name: string; requirements: string }): string {
  const folder = join(benchCache, environment.name)
  const interpreter = join(folder, 'bin', 'python')
  if (!existsSync(interpreter)) {
    mkdirSync(benchCache, { recursive: true })
    execFileSync('python3', ['-m', 'venv', folder], { stdio: 'inherit' })
  }
  const quietly = ['-m', 'pip', 'install', '-q', '--disable-pip-version-check']
  execFileSync(interpreter, [...quietly, '-r', environment.requirements], { stdio: ['ignore', 'ignore', 'inherit'] })
  return interpreter
}
